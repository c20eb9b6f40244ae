// Questions about rules that are answered by matching one rule's pattern against the graph that
// another rule's lines describe, with unknown leaves. What they say is proven; what cannot be
// proven this way (where clauses, chains) counts as "no".
#pragma once

#include "patterns/pattern.h"

namespace octet::patterns {

// True when what the rule makes is always matched by the rule itself.
bool replacement_matches_again(const Rule& rule);

// True when `earlier` matches wherever `later` does, so that `later` never gets its turn.
bool always_precedes(const Rule& earlier, const Rule& later);

}  // namespace octet::patterns
