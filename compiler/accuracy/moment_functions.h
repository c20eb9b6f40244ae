// What elementwise functions make of the moments of channels.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "compiler/accuracy/moments.h"

namespace octet::accuracy {

// f(x, channel)
using ChannelFunction = std::function<double(double, size_t)>;

// Of f(x) for x normal with these moments and cut off at its range: by the trapezoid rule over the
// density, and a grid over the range.
ChannelMoments integrate(const ChannelMoments& x, size_t channel, const ChannelFunction& f);

// All channels as one.
ChannelMoments pooled(const std::vector<ChannelMoments>& channels);

// The function of one number that an operator is; nothing for any other.
std::optional<ChannelFunction> unary_function(const ir::Graph& graph, const ir::Node& node);

}  // namespace octet::accuracy
