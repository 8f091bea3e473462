"""What every other package builds on: errors, records, points, safe text, strict YAML, atomic files."""
