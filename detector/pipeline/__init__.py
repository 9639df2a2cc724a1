"""The whole flow: recordings -> observe -> judge -> prove -> file."""
