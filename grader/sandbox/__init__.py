"""The trust boundary: `worker` is untrusted, `protocol` is all that crosses, `supervisor` starts and stops workers."""
