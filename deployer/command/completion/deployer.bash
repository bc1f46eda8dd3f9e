# Completes the deployer's commands, flags and values. Bash separates words at =, which belongs to the word before it.
_deployer() {
  local i line whole before words=() current="${COMP_WORDS[COMP_CWORD]}"
  for ((i = 1; i <= COMP_CWORD; i++)); do
    if ((${#words[@]})) && [[ ${COMP_WORDS[i]} == "=" || ${COMP_WORDS[i-1]} == "=" ]]; then
      words[${#words[@]}-1]+="${COMP_WORDS[i]}"
    else
      words+=("${COMP_WORDS[i]}")
    fi
  done
  [[ $current == "=" ]] && current=""
  whole="${words[${#words[@]}-1]}"
  before="${whole%"$current"}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
    :files | :directories)
      local kind=-f
      [[ $line == :directories ]] && kind=-d
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$kind" -- "$current")
      ;;
    *)
      line="${line%%$'\t'*}"
      COMPREPLY+=("${line#"$before"}")
      ;;
    esac
  done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}
complete -F _deployer deployer
