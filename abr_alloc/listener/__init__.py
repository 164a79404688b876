"""The project's own machine listener: how good a rendition sounds beside its source, learned."""
