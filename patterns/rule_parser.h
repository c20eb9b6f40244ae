// The lines of a rule, from text. The tokens are those of the text form (compiler/ir/lexer.h).
//
//   match     = values "=" ( call | "{" call { "|" call } "}" | chain )
//   replace   = values "=" ( call | value | builder | "~" value value )
//   where     = word "(" [ argument { "," argument } ] ")" [ "=" argument ]
//   keep      = value
//   values    = value { "," value }
//   value     = NAME [ "?" ]                            a value; with "?" it may be absent
//   chain     = "~" "(" op { "|" op } ")" "*" value     zero or more of these ops on top of value
//   call      = op "(" [ operand { "," operand } ] ")" [ "{" [ term { "," term } ] "}" ]
//   op        = [ word "::" ] word
//   operand   = value | chain | number | builder        a chain in matches, a builder in replaces
//   term      = word ( "=" | "?=" ) ( literal | "$" word | builder ) | "..."
//   builder   = "$" word "(" [ argument { "," argument } ] ")"
//   argument  = value | "$" word | number | word
//   number    = INT | FLOAT | "inf"
//   literal   = number | STRING | "[" [ number { "," number } ] "]"
#pragma once

#include <string_view>

#include "compiler/base/result.h"
#include "patterns/pattern.h"

namespace octet::patterns {

// A line and where its first character stands in the file.
struct SourceLine {
  std::string_view text;
  Position at;
};

// Each adds what the line says to the rule, interning names. Errors: kMalformed, "line:column: what
// is wrong". Meaning is checked by check_rule().
Status parse_match(const SourceLine& line, Rule& rule);
Status parse_where(const SourceLine& line, Rule& rule);
Status parse_replace(const SourceLine& line, Rule& rule);
Status parse_keep(const SourceLine& line, Rule& rule);

}  // namespace octet::patterns
