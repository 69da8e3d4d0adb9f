"""From a solid to tets: body, cut, smoothing."""
