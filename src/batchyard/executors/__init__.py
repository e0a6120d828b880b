"""What runs attempts, behind one small interface."""
