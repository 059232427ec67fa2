"""Tables of the analyses of free choice (foraging). Those of movement and performance are in `tables_movement`."""

from __future__ import annotations

from map_assets.analyses.tables import PROBE, UNIT_ID
from map_assets.analyses.tables_movement import ALPHA, CORRECTION, VERSION
from map_assets.vocabulary.table import SESSION, Table, flag, real, text, whole

_PORTS = ("left", "right", "middle")

FORAGING_TRIALS = Table(
    "foraging_trials",
    "one kept trial of a free choice: what the animal chose and got, and what the best model of values says of it",
    ("session", "trial"),
    (
        SESSION,
        whole("trial", "trial number"),
        whole("block", "block of the trial; null without", nullable=True),
        text("choice", "port that the animal chose; null if none", nullable=True),
        flag("is_rewarded", "whether that gave water; null without a choice", nullable=True),
        flag("is_free", "whether it chose without water being given before; only these count in models and rates"),
        flag("is_stay", "whether it chose as in the last trial with a choice; null without either", nullable=True),
        *(
            real(f"reward_probability_{port}", "of the block's trials at the port; null if unknown", nullable=True)
            for port in _PORTS
        ),
        real("reaction_time_s", "from the go cue to the choice; null without a choice", "s", nullable=True),
        real("iti_s", "from the trial's end to the next one's code; null if unknown", "s", nullable=True),
        text("model", "model of values with the lowest AIC, that what follows is of; null without", nullable=True),
        *(
            real(f"q_{port}", "value of the port before the choice; null without a model or port", nullable=True)
            for port in _PORTS
        ),
        real("q_relative", "q_right less q_left; null without a model", nullable=True),
        real("q_total", "q_left and q_right together; null without a model", nullable=True),
        real("choice_probability", "of the port chosen, as the model has it; null without", nullable=True),
        real("rpe", "reward (0 or 1) less the value of the port chosen; null without a choice", nullable=True),
        VERSION,
    ),
)

FORAGING_SESSIONS = Table(
    "foraging_sessions",
    "a session of free choice in numbers; rates and shares are of free choices",
    ("session",),
    (
        SESSION,
        whole("n_trials", "kept trials"),
        whole("n_ignored", "trials without a choice"),
        whole("n_choices", "free choices"),
        whole("n_rewarded", "of them that gave water"),
        real("reward_rate", "share of free choices that gave water; null without any", nullable=True),
        real(
            "attainable_rate",
            "mean over free choices of the rate that the best fixed cycle of choices gets at their probabilities, where "
            "rewards stay until taken; null with other than two ports, or unknown probabilities",
            nullable=True,
        ),
        real("efficiency", "reward_rate over attainable_rate; null likewise", nullable=True),
        real("stay_after_reward", "share of stays after rewarded choices; null without any", nullable=True),
        real("stay_after_none", "share of stays after unrewarded choices; null without any", nullable=True),
        whole("n_matching_blocks", "blocks that matching rests on"),
        real(
            "matching_slope",
            "of the line of log2 choice ratio over log2 reward ratio, right over left, by blocks: 1 is matching, less is "
            "undermatching; null with fewer than three blocks or other than two ports",
            nullable=True,
        ),
        real("matching_bias", "that line at equal rewards: above 0 is to the right; null likewise", nullable=True),
        real("matching_r2", "share of variance that the line explains; null likewise", nullable=True),
        real("reaction_time_median_s", "over trials with a choice; null without any", "s", nullable=True),
        real("iti_median_s", "over trials; null without any", "s", nullable=True),
        VERSION,
    ),
)

FORAGING_BLOCKS = Table(
    "foraging_blocks",
    "one block's free choices and rewards, by port",
    ("session", "block"),
    (
        SESSION,
        whole("block", "number of the block"),
        whole("n_choices", "free choices in it"),
        *(real(f"reward_probability_{port}", "null if unknown", nullable=True) for port in _PORTS),
        *(whole(f"n_{port}", "free choices of the port") for port in _PORTS),
        *(whole(f"n_rewarded_{port}", "of them that gave water") for port in _PORTS),
        real("choice_share_right", "of left and right; null without either", nullable=True),
        real("reward_share_right", "of rewards at left and right; null without any", nullable=True),
        flag("is_counted", "whether it counts for matching: enough choices, and choices and rewards at both sides"),
        VERSION,
    ),
)

FORAGING_MODELS = Table(
    "foraging_models",
    "one model of the session's free choices, fitted by maximum likelihood",
    ("session", "model"),
    (
        SESSION,
        text(
            "model",
            "bias; win_stay_lose_shift; q_learning (values, softmax, bias), with _forgetting: values of other ports "
            "decay, _two_rates: another rate after no reward, _choice_kernel: a habit of what was chosen",
        ),
        whole("n_choices", "choices that it was fitted to"),
        whole("n_parameters", "free parameters"),
        real("log_likelihood", "natural logarithm, at the fit"),
        real("aic", "Akaike's criterion: 2 n_parameters less 2 log_likelihood"),
        real("bic", "Schwarz's: n_parameters log(n_choices) less 2 log_likelihood"),
        real("likelihood_per_choice", "geometric mean of the probabilities of what was chosen"),
        flag("is_best", "whether it has the lowest AIC of all"),
        flag("has_values", "whether it gives ports values"),
        real("stay_after_reward", "probability; null in other models", nullable=True),
        real("stay_after_none", "probability; null in other models", nullable=True),
        real("learning_rate", "share of the surprise that a value takes up; null without values", nullable=True),
        real("learning_rate_none", "the same after no reward, where it differs; else null", nullable=True),
        real("forgetting_rate", "share that values of other ports lose a choice; null without", nullable=True),
        real("inverse_temperature", "weight of values in a choice; null without values", nullable=True),
        real("choice_rate", "share of the habit that a choice renews; null without", nullable=True),
        real("choice_weight", "weight of the habit in a choice; null without", nullable=True),
        real("bias_right", "log odds of right over left at equal values; null where none is fitted", nullable=True),
        real("bias_middle", "log odds of middle over left; null where none is fitted", nullable=True),
        VERSION,
    ),
)

FORAGING_HISTORY = Table(
    "foraging_history",
    "what a choice and its reward so many choices ago do to the next one (logistic regression, right over left)",
    ("session", "lag"),
    (
        SESSION,
        whole("lag", "choices back, from 1"),
        real("rewarded", "log odds of repeating a rewarded choice"),
        real("rewarded_std_err", "its standard error"),
        real("unrewarded", "log odds of repeating an unrewarded choice"),
        real("unrewarded_std_err", "its standard error"),
        real("bias", "log odds of right without history"),
        whole("n_choices", "choices that have all lags"),
        VERSION,
    ),
)

FORAGING_PERIOD_FITS = Table(
    "foraging_period_fits",
    "how one unit's firing in one period follows one variable of the best model of values (least squares with the others)",
    ("session", "probe", "unit_id", "period", "variables", "variable"),
    (
        SESSION,
        PROBE,
        UNIT_ID,
        text("period", "before_2, delay, go_to_end, go_1.2, iti_all, iti_first_2 or iti_last_2"),
        text("variables", "all of the fit: sides (q_left, q_right, rpe) or relative (q_relative, q_total, rpe)"),
        text("variable", "the one of this row"),
        text(
            "hemisphere", "side of the brain of the probe, which tells contra from ipsi; null if unknown", nullable=True
        ),
        whole("n_trials", "trials with a choice in which the unit could be judged and has the period"),
        real("beta_hz", "change of the rate with one unit of the variable; null if not fitted", "Hz", nullable=True),
        real("std_err_hz", "its standard error; null if not fitted", "Hz", nullable=True),
        real("t", "beta over its standard error; null if not fitted", nullable=True),
        real("p", "Student's, two-sided: takes trials for independent; null if not fitted", nullable=True),
        real(
            "p_corrected",
            "over the session's units, in the period, fit and variable; null if not fitted",
            nullable=True,
        ),
        real(
            "p_shift",
            "share of shifts of the rates against the trials, round and round, with as large a t: rates and values both "
            "wander slowly, and agree by chance more often than p tells; null if not fitted or too few trials",
            nullable=True,
        ),
        flag("is_tuned", "whether p_corrected and p_shift are both below alpha; null without either", nullable=True),
        real("r2", "of the whole fit; null if not fitted", nullable=True),
        real("r2_adjusted", "for the number of variables; null if not fitted", nullable=True),
        real("p_fit", "F test of the whole fit; null if not fitted", nullable=True),
        CORRECTION,
        ALPHA,
        text("reason", "why it was not fitted; null where it was", nullable=True),
        VERSION,
    ),
)

TABLES = (
    *(FORAGING_TRIALS, FORAGING_SESSIONS, FORAGING_BLOCKS),
    *(FORAGING_MODELS, FORAGING_HISTORY, FORAGING_PERIOD_FITS),
)
