"""Finds recordings in folders, knows them again, and says what of a period they cover."""
