#!/usr/bin/env bash
# One step of a pipeline: `bash ci/step.sh plan|apply|verify|audit`. action.yml and .azure-pipelines/d365setup.yml call it.
#
# All it needs comes in by variables of the environment, so that no value of anybody is ever pasted into shell:
#   SETUP_PLAYBOOK      the playbook; audit does without
#   SETUP_URL           the environment's address; empty: D365_URL says it
#   SETUP_ORGANIZATION  name or id of the organization that is meant; empty: any
#   SETUP_VARIABLES     NAME=VALUE lines for the playbook
#   SETUP_REDACT        false shows people by their names
#   SETUP_PRUNE         true also plans to take away what is no longer declared
#   SETUP_ALLOW_DELETE  KIND:N lines, for apply
#   SETUP_SAVED_PLAN    apply: the plan to apply; empty: plan anew, and apply that
#   SETUP_REVIEWED      apply: the fingerprint of the plan that was reviewed, any other is refused; empty or none: any
#   SETUP_MAX_AGE       apply: how old a saved plan may be
#   SETUP_FAIL_ON       audit: error, warning or info
#   SETUP_WAIVERS       audit: a file of waivers
#   SETUP_EVIDENCE      a folder to seal evidence in; empty: none
#   SETUP_HEALTHBOT_SECRET    signs for the Health Bot; empty: D365_HEALTHBOT_SECRET says it, if anything does
#   SETUP_HEALTHBOT_RESOURCE  or the bot's resource in Azure, to read that secret from; empty: D365_HEALTHBOT_RESOURCE_ID
#   SETUP_REQUIRE_HEALTHBOT   true fails where the playbook's bot would be left out because its secret is not known
#   SETUP_OUT           where plan.json, report.json and report.md go
# It ends with the tool's exit code, but for 3 (changes pending) of a plan, which is what a plan is for.
set -euo pipefail

out="${SETUP_OUT:-${RUNNER_TEMP:-${AGENT_TEMPDIRECTORY:-.}}/d365setup}"
mkdir -p "$out"
code=0 fingerprint=""

# An Azure task says who its service connection signs in as.
if [ -n "${AZURESUBSCRIPTION_CLIENT_ID:-}" ]; then
  export D365_CLIENT_ID="${D365_CLIENT_ID:-$AZURESUBSCRIPTION_CLIENT_ID}"
  export D365_TENANT_ID="${D365_TENANT_ID:-${AZURESUBSCRIPTION_TENANT_ID:-}}"
fi

# The bot's secret goes to the tool by its environment alone: command lines end up in logs.
bot_secret() {
  case "${SETUP_HEALTHBOT_SECRET:-}" in
    "") ;;
    "\$("*")")   # Azure Pipelines leaves the name of a variable as it stands where there is no such variable
      problem "the Health Bot's secret did not come: this run has no variable of the name that healthbotSecret gives; link its variable group, or leave the parameter empty"
      exit 2 ;;
    *) export D365_HEALTHBOT_SECRET="$SETUP_HEALTHBOT_SECRET" ;;
  esac
  unset SETUP_HEALTHBOT_SECRET
  [ -z "${SETUP_HEALTHBOT_RESOURCE:-}" ] || export D365_HEALTHBOT_RESOURCE_ID="$SETUP_HEALTHBOT_RESOURCE"
}

beside=()
[ "${SETUP_REQUIRE_HEALTHBOT:-false}" != true ] || beside+=(--require-healthbot)

common=(--report "$out/report.json" --report "$out/report.md" --max-chars 60000)
[ "${SETUP_REDACT:-true}" = false ] || common+=(--redact)
[ -z "${SETUP_URL:-}" ] || common+=(--url "$SETUP_URL")
[ -z "${SETUP_ORGANIZATION:-}" ] || common+=(--expect-organization "$SETUP_ORGANIZATION")
[ -z "${SETUP_EVIDENCE:-}" ] || common+=(--evidence "$SETUP_EVIDENCE")

variables=()
while IFS= read -r line; do
  [ -z "$line" ] || variables+=(--var "$line")
done <<< "${SETUP_VARIABLES:-}"

removals=()
while IFS= read -r line; do
  [ -z "$line" ] || removals+=(--allow-delete "$line")
done <<< "${SETUP_ALLOW_DELETE:-}"

# Run the tool; what it ended with is in $code.
run() {
  code=0
  d365setup "$@" || code=$?
}

# A value for later steps, in GitHub Actions and in Azure Pipelines.
tell() {
  local value="${2//[$'\r\n']/}"
  if [ -n "${GITHUB_OUTPUT:-}" ]; then
    printf '%s=%s\n' "$1" "$value" >> "$GITHUB_OUTPUT"
  fi
  if [ "${TF_BUILD:-}" = True ]; then
    printf '##vso[task.setvariable variable=%s;isOutput=true]%s\n' "$1" "$value"
  fi
}

# A problem of ours, shown as the tool shows its own; in one line, or it could hold a command for the runner.
problem() {
  local told="${1//[$'\r\n']/ }"
  if [ "${GITHUB_ACTIONS:-}" = true ]; then echo "::error title=d365setup::$told"; fi
  if [ "${TF_BUILD:-}" = True ]; then echo "##vso[task.logissue type=error]$told"; fi
  echo "error: $told" >&2
}

# What the result says in one of its fields: a text, a number, or how many a list has.
field() {
  python -I -S -c '
import json, sys
value = json.load(open(sys.argv[1], encoding="utf-8"))
for name in sys.argv[2:]:
    value = value.get(name) if isinstance(value, dict) else None
print("" if value is None else len(value) if isinstance(value, list) else value)
' "$out/report.json" "$@"
}

needs_playbook() {
  [ -n "${SETUP_PLAYBOOK:-}" ] || { problem "no playbook is named"; exit 2; }
}

plan() {
  needs_playbook
  local options=()
  [ "${SETUP_PRUNE:-false}" != true ] || options+=(--prune)
  rm -f "$out/plan.json"
  run plan "$SETUP_PLAYBOOK" --out "$out/plan.json" "${options[@]}" "${beside[@]}" "${variables[@]}" "${common[@]}"
  [ "$code" -eq 0 ] || [ "$code" -eq 3 ] || return 0
  fingerprint=$(field fingerprint)
  tell fingerprint "$fingerprint"
  tell changes "$(field changes)"
  tell saved_plan "$out/plan.json"
}

# A plan whose tests failed is shown, and apply would refuse it: so the pull request is not in order.
judge_plan() {
  [ "$code" -eq 3 ] || return 0
  code=0
  [ "$(field tests state)" != failed ] || {
    problem "tests of the playbook failed, and apply would refuse this plan: $(field tests summary)"
    code=4
  }
}

apply() {
  local saved="${SETUP_SAVED_PLAN:-}" options=()
  if [ -z "$saved" ]; then
    plan
    [ "$code" -eq 3 ] || return 0
    check_reviewed
    saved="$out/plan.json"
  fi
  [ -z "${SETUP_MAX_AGE:-}" ] || options+=(--max-age "$SETUP_MAX_AGE")
  run apply "$saved" --yes "${options[@]}" "${beside[@]}" "${removals[@]}" "${common[@]}"
  tell run "$(field run)"
}

# Equal fingerprints mean equal plans: what would be done to which row of which organization.
check_reviewed() {
  case "${SETUP_REVIEWED:-none}" in none | "$fingerprint") return 0 ;; esac
  problem "the environment asks for another plan now than the one that was reviewed, and nothing was written; plan again, in a new pull request (reviewed: $SETUP_REVIEWED; now: $fingerprint)"
  tell exit_code 5
  exit 5
}

verify() {
  needs_playbook
  run verify "$SETUP_PLAYBOOK" "${beside[@]}" "${variables[@]}" "${common[@]}"
}

audit() {
  local options=()
  [ -z "${SETUP_PLAYBOOK:-}" ] || options+=("$SETUP_PLAYBOOK" "${variables[@]}")
  [ -z "${SETUP_FAIL_ON:-}" ] || options+=(--fail-on "$SETUP_FAIL_ON")
  [ -z "${SETUP_WAIVERS:-}" ] || options+=(--waivers "$SETUP_WAIVERS")
  run audit "${options[@]}" "${common[@]}"
}

bot_secret
case "${1:-}" in
  plan) plan; tell exit_code "$code"; judge_plan ;;
  apply) apply; tell exit_code "$code" ;;
  verify) verify; tell exit_code "$code" ;;
  audit) audit; tell exit_code "$code" ;;
  *) problem "the command is plan, apply, verify or audit"; exit 2 ;;
esac
exit "$code"
