"""What callers hear and may choose (语音导航), as data. Imports the standard library only."""
