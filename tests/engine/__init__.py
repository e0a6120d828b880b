"""The loop, turned by hand: the test moves the clock and says what the executor reports."""
