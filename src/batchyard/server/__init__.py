"""Assembly: wires every room together and decides nothing."""
