"""Everything said to Microsoft Graph, and everything it says to us."""
