"""Kill, cut off and overload a running Frontdesk, and count what was lost and what came twice."""
