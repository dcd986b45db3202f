"""The names that the forms of one notebook's report have on the command line."""

TEXT = "text"
MARKDOWN = "markdown"
JSON = "json"
JUNIT = "junit"
GITHUB = "github"
GRADESCOPE = "gradescope"
CODEQUALITY = "codequality"
BADGE = "badge"

FORM_NAMES = (TEXT, MARKDOWN, JSON, JUNIT, GITHUB, GRADESCOPE, CODEQUALITY, BADGE)
