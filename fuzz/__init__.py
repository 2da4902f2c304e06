"""Coverage-guided fuzzing of the EXI codec: `python -m fuzz`, which `make fuzz` runs."""
