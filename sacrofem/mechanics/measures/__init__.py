"""What is read off a solved state."""
