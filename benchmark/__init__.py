"""Ask what a model learned: suites, engines, scores, comparisons, reports and people.

A room imports only itself, rooms above it, and agent_tuning (suites/ holds data alone):

    tasks/          suites, tasks, episodes, what is asked of them
    engines/        who answers: transformers, vLLM, an OpenAI-compatible server
    sources/        suites derived from other benchmarks
    drafting/       suites of our own, from the held-out part of the grammar
    scoring/        answers to metrics
    rollouts/       episodes in simulated worlds
    compare/        two versions task by task, and the gate
    reports/        page, leaderboard, charts
    annotation/     review, rating, judge
"""
