// Reading protobuf text with errors that say file:line:column.
#pragma once

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <optional>
#include <string>
#include <string_view>

#include "compiler/base/result.h"

namespace octet::plan {

// kUsage with "FILE:LINE:COLUMN: what is wrong" for the first error.
inline Status parse_text_format(std::string_view text, std::string_view file_name,
                                google::protobuf::Message& message) {
  class FirstError : public google::protobuf::io::ErrorCollector {
   public:
    void AddError(int line, google::protobuf::io::ColumnNumber column,
                  const std::string& what) override {
      if (!first) first = cat(line + 1, ":", column + 1, ": ", what);
    }
    std::optional<std::string> first;
  };
  FirstError errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (parser.ParseFromString(std::string(text), &message)) return {};
  return usage_error(file_name, ":", errors.first.value_or("1:1: not a text file of this kind"));
}

}  // namespace octet::plan
