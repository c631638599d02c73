"""The reference: fields answered by graphql-core, with one DataLoader for each place in a document."""
