"""Images on disk: headers are judged before anything is made of their numbers, and no file is read but those named."""
