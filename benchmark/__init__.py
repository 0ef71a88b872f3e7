"""Ask what a model learned: suites, engines, scores, comparisons, reports and people.

A room imports only itself, rooms above it, and agent_tuning (suites/ holds data alone):

    missing_step/   say what to run before
    model_folder/   the name of a model's files, and a hash of what shapes its answers
    tasks/          suites, tasks, episodes, what is asked of them
    engines/        who answers: transformers, vLLM, an OpenAI-compatible server
    sources/        suites derived from other benchmarks
    drafting/       suites of our own, from the held-out part of the grammar
    scoring/        answers to metrics
    rollouts/       episodes in simulated worlds
    serving/        a tuned folder behind a server, in a terminal, against predict
    official_bfcl/  BFCL's own score of a served model, by its own checker
    pages/          one page to search answers or training examples; show what an id is
    compare/        two versions task by task, and the gate
    reports/        page, leaderboard, charts
    ablations/      what each ingredient of a recipe buys
    annotation/     review, rating, judge
"""
