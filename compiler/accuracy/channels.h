// Which channels of which values can only be scaled together.
//
// A channel of a convolution's output can be multiplied by any positive factor when every reader
// undoes it: the row of the producer's weight (and its bias) takes the factor, the readers' weights
// take its inverse on the slice that reads the channel. Between them, operators that commute with
// positive factors (Relu, pooling, Concat, ...) tie channels of several values into one class. A
// class that touches anything else is fixed: its factor is 1.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/accuracy/columns.h"
#include "compiler/ir/graph.h"

namespace octet::accuracy {

class ChannelClasses {
 public:
  explicit ChannelClasses(const ir::Graph& graph);

  // The channels of a value, numbered across the graph; none where `first` is negative.
  struct Channels {
    int64_t first = -1;
    int64_t count = 0;
    size_t axis = 0;
  };
  const Channels& of(ir::ValueId value) const { return of_value_[value.index()]; }

  // The class of a channel; equal for channels that share their factor.
  size_t class_of(int64_t channel) const { return class_[static_cast<size_t>(channel)]; }
  // Groups of classes that meet in some value: their factors are relative to each other.
  size_t component_of(ir::ValueId value) const { return component_[value.index()]; }

  bool fixed(size_t channel_class) const { return fixed_[channel_class]; }
  // Behind a Clip, which cuts off at the same height whatever the factor.
  bool clipped(size_t channel_class) const { return clipped_[channel_class]; }
  size_t class_count() const { return class_.size(); }  // classes are numbers below it

  // A linear operator with a weight of its own: scales what it reads and what it computes.
  struct Linear {
    ir::NodeId node;
    ir::ValueId x;  // invalid where its data has no channels to scale
    ir::ValueId y;
    ir::ValueId weight;
    ir::ValueId bias;  // invalid when it has none
    WeightLayout layout;
  };
  // Constants with an element per channel that follow a value's factors: a LayerNormalization's
  // scale and bias, the constant of an Add.
  struct Follower {
    ir::ValueId constant;
    ir::ValueId value;
  };
  const std::vector<Linear>& linears() const { return linears_; }
  const std::vector<Follower>& followers() const { return followers_; }

 private:
  friend class ChannelWalk;

  std::vector<Channels> of_value_;
  std::vector<size_t> class_;      // by channel: the least channel of its class
  std::vector<size_t> component_;  // by value: the least value of its component
  std::vector<bool> fixed_;        // by class
  std::vector<bool> clipped_;      // by class
  std::vector<Linear> linears_;
  std::vector<Follower> followers_;
};

}  // namespace octet::accuracy
