#include "compiler/onnx/preserved.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include "compiler/base/result.h"

namespace octet::onnx {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr int kNodeMetadata = 9;
constexpr uint32_t kMetadataTag =
    WireFormatLite::MakeTag(kNodeMetadata, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
constexpr std::string_view kOriginKey = "octet.origin.";

}  // namespace

std::string pack(ValueRest rest) {
  rest.info.clear_name();
  rest.tensor.clear_name();
  ::onnx::GraphProto container;
  if (rest.info.ByteSizeLong() > 0) *container.add_value_info() = std::move(rest.info);
  if (rest.tensor.ByteSizeLong() > 0) *container.add_initializer() = std::move(rest.tensor);
  return serialize(container);
}

ValueRest unpack(const std::string& preserved) {
  ValueRest rest;
  if (preserved.empty()) return rest;
  ::onnx::GraphProto container;
  container.ParsePartialFromString(preserved);
  if (container.value_info_size() > 0) rest.info = container.value_info(0);
  if (container.initializer_size() > 0) rest.tensor = container.initializer(0);
  return rest;
}

std::string origin_metadata(const ir::Node& node, const std::string& default_origin) {
  if (node.origins == std::vector<std::string>{default_origin}) return {};
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    for (size_t i = 0; i < node.origins.size(); ++i) {
      ::onnx::StringStringEntryProto entry;
      entry.set_key(cat(kOriginKey, i));
      entry.set_value(node.origins[i]);
      out.WriteTag(kMetadataTag);
      out.WriteVarint32(static_cast<uint32_t>(entry.ByteSizeLong()));
      entry.SerializePartialToCodedStream(&out);
    }
  }
  return bytes;
}

std::vector<std::string> take_origins(std::string& node_bytes) {
  std::vector<std::string> origins;
  if (node_bytes.find(kOriginKey) == std::string::npos) return origins;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(node_bytes.data()),
                                            static_cast<int>(node_bytes.size()));
  std::string kept;
  while (true) {
    const int start = in.CurrentPosition();
    const uint32_t tag = in.ReadTag();
    if (tag == 0) break;
    bool ours = false;
    if (tag == kMetadataTag) {
      uint32_t size = 0;
      std::string bytes;
      ::onnx::StringStringEntryProto entry;
      if (!in.ReadVarint32(&size) || !in.ReadString(&bytes, static_cast<int>(size))) break;
      ours = entry.ParsePartialFromString(bytes) && entry.key().starts_with(kOriginKey);
      if (ours) origins.push_back(entry.value());
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      break;
    }
    if (!ours)
      kept.append(node_bytes, static_cast<size_t>(start),
                  static_cast<size_t>(in.CurrentPosition() - start));
  }
  node_bytes = std::move(kept);
  return origins;
}

}  // namespace octet::onnx
