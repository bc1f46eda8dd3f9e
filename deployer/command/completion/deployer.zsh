#compdef deployer
_deployer() {
  local line
  local -a lines values
  lines=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  case "${lines[1]}" in
  :files) _files; return ;;
  :directories) _files -/; return ;;
  esac
  for line in "${lines[@]}"; do
    [[ -n "$line" ]] || continue
    if [[ "$line" == *$'\t'* ]]; then
      values+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    else
      values+=("${line//:/\\:}")
    fi
  done
  (( ${#values} )) && _describe 'values' values
}
compdef _deployer deployer
