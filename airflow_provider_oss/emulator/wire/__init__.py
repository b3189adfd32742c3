"""What goes over the wire: requests, responses, XML documents, dates. No state and no decisions."""
