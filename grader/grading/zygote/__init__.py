"""The warm process that everything is forked from. Linux only."""
