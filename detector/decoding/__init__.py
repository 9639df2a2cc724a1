"""Moments to pictures, pictures to video, and the state of the view. The only door to `av`."""
