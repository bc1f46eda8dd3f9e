package command

// hostileLine is a line with everything that a terminal or the runner of GitHub Actions acts on.
const hostileLine = "::error::forged x::stop-commands::y ##[add-mask]a \r::warning::b \x1b]52;c;e\x07 \u202e"
