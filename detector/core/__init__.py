"""Values that pass between rooms (frozen), geometry, time and the error tree. Imports no other room."""
