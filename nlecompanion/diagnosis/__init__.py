"""What is wrong with a use, in numbers."""
