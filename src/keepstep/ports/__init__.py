"""What the core asks of the outside, as protocols, and the errors their implementations raise."""
