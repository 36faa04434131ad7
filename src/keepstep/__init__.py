"""Keepstep keeps Productboard features and tracker tickets in step, in both directions."""
