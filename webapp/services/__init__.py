"""What people do at the front door, each deed in one file. No Flask here."""
