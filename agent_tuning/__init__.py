"""Make training data for agents, train on it, and run the model: the library, in rooms.

A room imports only itself and rooms above it:

    records/        what a conversation with tools is
    files/          records to files and back
    runtime/        command line, config, progress, CPU, hashes of code and inputs
    prompts/        templates, tool lists, reply formats
    catalogue/      tools, scenarios, grammar, simulators
    quality/        validation, near-duplicates, decontamination, word overlap
    chat_model/     any OpenAI-compatible server, paid answers kept
    synthesis/      plan, teachers, hard negatives, renaming, value randomization
    converters/     other people's tools and trajectories
    mcp_tools/      our simulators for MCP clients, MCP servers' tools for our models
    tokens/         chat template, loss weights, packs
    model/          base model, attention, loss
    training/       trainer, dataset, checkpoints, ranks
    inference/      greedy decoding that reads a shared prompt once
    hub/            upload a tuned model
"""
