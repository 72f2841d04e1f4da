"""Where text comes from: servers, the embedded engine, the fake; and where model files come from."""
