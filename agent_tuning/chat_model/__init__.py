"""Ask any OpenAI-compatible server: requests, retries, a budget, and a store of paid replies."""
