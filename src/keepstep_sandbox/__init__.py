"""Emulators of Productboard and of GitTab, to try, test and develop Keepstep without accounts.

They share no code with the service, or both could share one mistake.
"""
