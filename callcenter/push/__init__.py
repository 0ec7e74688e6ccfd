"""The loudspeaker: screens that hear of every change, snapshot first."""
