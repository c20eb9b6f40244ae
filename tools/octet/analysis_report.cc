#include "tools/octet/analysis_report.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>

namespace octet::tools {

using accuracy::Analysis;
using accuracy::Cure;
using accuracy::LayerReport;
using accuracy::TensorReport;

namespace {

Json db_json(const std::optional<double>& db) { return db ? Json(*db) : Json(nullptr); }

std::optional<double> noise_db(double noise) { return accuracy::decibels(1.0, noise); }

std::map<std::string, std::optional<double>> accumulated(const AnalysisReport& report) {
  std::map<std::string, std::optional<double>> out;
  for (const TensorError& tensor : report.quantized.tensors) out[tensor.name] = tensor.sqnr();
  for (const TensorError& output : report.quantized.outputs) out[output.name] = output.sqnr();
  return out;
}

std::optional<double> find_db(const std::map<std::string, std::optional<double>>& all,
                              const std::string& name) {
  const auto it = all.find(name);
  return it == all.end() ? std::nullopt : it->second;
}

Json layer_json(const LayerReport& layer, const Analysis& analysis,
                const std::map<std::string, std::optional<double>>& after) {
  Json out = {{"layer", layer.node}, {"op_type", layer.op_type}, {"share", layer.share}};
  out["weight_share"] = layer.weight_share;
  out["input_share"] = layer.input_share;
  out["alone_db"] = db_json(noise_db(layer.noise));
  out["local_db"] = db_json(layer.local_db);
  out["local_weight_db"] = db_json(layer.local_weight_db);
  out["local_input_db"] = db_json(layer.local_input_db);
  out["accumulated_db"] = db_json(find_db(after, layer.output));
  out["output"] = layer.output;
  out["weight"] = layer.weight ? Json(analysis.weight_sources[*layer.weight].name) : Json(nullptr);
  out["data"] = layer.tensor ? Json(analysis.tensors[*layer.tensor].name) : Json(nullptr);
  return out;
}

Json tensor_json(const TensorReport& tensor,
                 const std::map<std::string, std::optional<double>>& after) {
  Json out = {{"tensor", tensor.name}, {"readers", tensor.readers}, {"share", tensor.share}};
  out["alone_db"] = db_json(noise_db(tensor.noise));
  out["accumulated_db"] = db_json(find_db(after, tensor.name));
  out["covered"] = {tensor.low, tensor.high};
  out["seen"] = {tensor.min, tensor.max};
  out["range_use"] = tensor.use;
  out["saturated"] = tensor.saturated;
  out["channels"] = tensor.channels.count;
  out["outlier_channels"] = Json::array();
  for (const auto& outlier : tensor.channels.outliers) {
    out["outlier_channels"].push_back({{"channel", outlier.channel},
                                       {"magnitude", outlier.magnitude},
                                       {"times_median", outlier.times_median}});
  }
  out["dead_channels"] = tensor.channels.dead;
  out["constant_channels"] = tensor.channels.constant;
  return out;
}

Json weight_json(const accuracy::WeightReport& weight) {
  return {{"weight", weight.name},
          {"readers", weight.readers},
          {"share", weight.share},
          {"alone_db", db_json(noise_db(weight.noise))},
          {"per_channel", weight.per_channel},
          {"second_order", weight.second_order},
          {"greatest_over_least_row", weight.spread},
          {"dead_rows", weight.dead_rows}};
}

Json data_json(const AnalysisReport& report) {
  const accuracy::SampleFacts& facts = report.analysis.data;
  Json out = {{"samples", facts.samples}, {"tensors", facts.tensors}};
  out["blank_samples"] = report.blank;
  out["duplicates"] = report.duplicates;
  out["grown"] = Json::array();
  for (const auto& grown : facts.grown) {
    out["grown"].push_back(
        {{"tensor", grown.tensor}, {"by", grown.grown}, {"last_sample", grown.last_sample}});
  }
  out["range_setters"] = Json::array();
  for (const auto& setter : facts.setters) {
    out["range_setters"].push_back({{"sample", setter.sample},
                                    {"range_ends", setter.ends},
                                    {"widest", setter.widest},
                                    {"tensor", setter.tensor}});
  }
  return out;
}

Json moments_json(const accuracy::Moments& moments) {
  return {{"min", moments.min},
          {"max", moments.max},
          {"mean", moments.mean},
          {"deviation", moments.deviation}};
}

// Text.

std::string db_text(const std::optional<double>& db) {
  if (!db) return "-";
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(1) << *db;
  return out.str();
}

std::string percent_text(double share) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(1) << 100.0 * share << " %";
  return out.str();
}

// Rows of cells, the last one to the left and all others to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.size() == 1; }

  void print(std::ostream& out, size_t left) const {
    std::vector<size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) {
        const bool to_left = i + left >= row.size();
        const std::string room(widths[i] - row[i].size(), ' ');
        out << (i == 0 ? " " : "  ") << (to_left ? "" : room) << row[i]
            << (to_left && i + 1 < row.size() ? room : "");
      }
      out << '\n';
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string shown_name(const std::string& name) {
  constexpr size_t kLongest = 60;
  return name.size() <= kLongest ? name : name.substr(0, kLongest - 3) + "...";
}

void print_layers(std::ostream& out, const AnalysisReport& report, size_t top,
                  const std::map<std::string, std::optional<double>>& after) {
  const auto& layers = report.analysis.layers;
  if (layers.empty()) return;
  out << "\nlayers, by their share of the outputs' noise (" << std::min(top, layers.size())
      << " of " << layers.size() << "); dB at the outputs alone, at the layer alone, accumulated\n";
  Table table({"share", "weight", "data", "alone", "local", "accum.", "layer"});
  for (size_t i = 0; i < std::min(top, layers.size()); ++i) {
    const LayerReport& layer = layers[i];
    table.add({percent_text(layer.share), percent_text(layer.weight_share),
               percent_text(layer.input_share), db_text(noise_db(layer.noise)),
               db_text(layer.local_db), db_text(find_db(after, layer.output)),
               shown_name(layer.node) + " (" + layer.op_type + ")"});
  }
  table.print(out, 1);
}

std::string channel_text(const accuracy::ChannelFacts& facts) {
  std::string out;
  if (!facts.outliers.empty()) {
    const auto& first = facts.outliers.front();
    std::ostringstream times;
    times.imbue(std::locale::classic());
    times << std::fixed << std::setprecision(0) << first.times_median;
    out += cat(facts.outliers.size(), facts.outliers.size() == 1 ? " outlier" : " outliers", " (",
               first.channel, ": ", times.str(), "x)");
  }
  const size_t still = facts.dead.size() + facts.constant.size();
  if (still > 0) out += cat(out.empty() ? "" : ", ", still, " dead");
  return out.empty() ? "-" : cat(out, " of ", facts.count);
}

void print_tensors(std::ostream& out, const AnalysisReport& report, size_t top) {
  const auto& tensors = report.analysis.tensors;
  if (tensors.empty()) return;
  out << "\ntensors (" << std::min(top, tensors.size()) << " of " << tensors.size()
      << "); use: the part of the range that 99.8 % of the elements lie in\n";
  Table table({"share", "alone", "use", "saturated", "channels", "tensor"});
  for (size_t i = 0; i < std::min(top, tensors.size()); ++i) {
    const TensorReport& tensor = tensors[i];
    table.add({percent_text(tensor.share), db_text(noise_db(tensor.noise)),
               percent_text(tensor.use),
               tensor.saturated > 0.0 ? percent_text(tensor.saturated) : "-",
               channel_text(tensor.channels), shown_name(tensor.name)});
  }
  table.print(out, 2);
}

void print_cures(std::ostream& out, const AnalysisReport& report, size_t top) {
  const auto& cures = report.analysis.cures;
  if (cures.empty()) return;
  out << "\ncures, by what each is expected to give at the outputs (" << std::min(top, cures.size())
      << " of " << cures.size() << ")\n";
  Table table({"gain", "cure", "of", "how"});
  for (size_t i = 0; i < std::min(top, cures.size()); ++i) {
    const Cure& cure = cures[i];
    table.add({cat("+", db_text(cure.gain_db), " dB"), cure.name, shown_name(cure.of), cure.how});
  }
  table.print(out, 3);
}

void print_indices(std::ostream& out, const std::vector<size_t>& indices) {
  constexpr size_t kShown = 8;
  for (size_t i = 0; i < std::min(kShown, indices.size()); ++i) {
    out << (i == 0 ? "" : ", ") << indices[i];
  }
  if (indices.size() > kShown) out << " and " << indices.size() - kShown << " more";
}

void print_data(std::ostream& out, const AnalysisReport& report, size_t top) {
  const accuracy::SampleFacts& facts = report.analysis.data;
  out << "\ndata, " << facts.samples << " samples (counted from 0)\n";
  if (!report.blank.empty()) {
    out << "  one number only: ";
    print_indices(out, report.blank);
    out << '\n';
  }
  for (size_t i = 0; i < std::min(top, report.duplicates.size()); ++i) {
    out << "  equal: ";
    print_indices(out, report.duplicates[i]);
    out << '\n';
  }
  if (report.duplicates.size() > top) {
    out << "  and " << report.duplicates.size() - top << " more groups of equal samples\n";
  }
  if (facts.samples < 4) {
    out << "  too few samples to tell whether ranges have settled\n";
  } else if (facts.grown.empty()) {
    out << "  no range grew by more than 5 % in the last quarter of the samples\n";
  } else {
    out << "  " << facts.grown.size() << " of " << facts.tensors
        << " ranges grew by more than 5 % in the last quarter of the samples: more would be "
           "better\n";
    Table table({"grown", "last at", "tensor"});
    for (size_t i = 0; i < std::min(top, facts.grown.size()); ++i) {
      table.add({percent_text(facts.grown[i].grown), cat(facts.grown[i].last_sample),
                 shown_name(facts.grown[i].tensor)});
    }
    table.print(out, 1);
  }
  if (facts.setters.empty()) return;
  out << "  samples that set ranges: ends of ranges that are theirs alone, and the widest part\n";
  Table table({"sample", "ends", "part", "of tensor"});
  for (size_t i = 0; i < std::min(top, facts.setters.size()); ++i) {
    const auto& setter = facts.setters[i];
    table.add({cat(setter.sample), cat(setter.ends), percent_text(setter.widest),
               shown_name(setter.tensor)});
  }
  table.print(out, 1);
}

void print_shifts(std::ostream& out, const AnalysisReport& report, size_t top) {
  if (!report.shifts) return;
  const auto number = [](double x) {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << std::setprecision(4) << x;
    return text.str();
  };
  out << "\ndistance to the " << report.against << " samples of --against, in standard deviations ("
      << std::min(top, report.shifts->size()) << " of " << report.shifts->size() << ")\n";
  Table table({"distance", "outside", "mean", "deviation", "range", "tensor"});
  for (size_t i = 0; i < std::min(top, report.shifts->size()); ++i) {
    const accuracy::DataShift& shift = (*report.shifts)[i];
    const auto range = [&](const accuracy::Moments& moments) {
      return cat("[", number(static_cast<double>(moments.min)), ", ",
                 number(static_cast<double>(moments.max)), "]");
    };
    table.add({number(shift.distance), percent_text(shift.outside),
               cat(number(shift.first.mean), " -> ", number(shift.second.mean)),
               cat(number(shift.first.deviation), " -> ", number(shift.second.deviation)),
               cat(range(shift.first), " -> ", range(shift.second)), shown_name(shift.tensor)});
  }
  table.print(out, 1);
}

}  // namespace

Json to_json(const AnalysisReport& report) {
  const Analysis& analysis = report.analysis;
  const auto after = accumulated(report);
  const auto worst = report.quantized.worst_sqnr();
  Json out = {{"model", report.model}, {"backend", report.backend}};
  out["samples"] = analysis.data.samples;
  out["measured_on"] = analysis.samples;
  out["noise"] = {{"worst_sqnr_db", db_json(worst)},
                  {"all_db", db_json(noise_db(accuracy::relative_noise(report.quantized.outputs)))},
                  {"weights_db", db_json(noise_db(analysis.weights))},
                  {"activations_db", db_json(noise_db(analysis.tensors_noise))},
                  {"sum_of_parts_db", db_json(noise_db(analysis.sum))}};
  out["outputs"] = Json::array();
  for (const TensorError& output : report.quantized.outputs) {
    out["outputs"].push_back({{"name", output.name}, {"sqnr_db", db_json(output.sqnr())}});
  }
  out["layers"] = Json::array();
  for (const LayerReport& layer : analysis.layers) {
    out["layers"].push_back(layer_json(layer, analysis, after));
  }
  out["tensors"] = Json::array();
  for (const TensorReport& tensor : analysis.tensors) {
    out["tensors"].push_back(tensor_json(tensor, after));
  }
  out["weights"] = Json::array();
  for (const auto& weight : analysis.weight_sources) out["weights"].push_back(weight_json(weight));
  out["cures"] = Json::array();
  for (const Cure& cure : analysis.cures) {
    out["cures"].push_back({{"cure", cure.name},
                            {"of", cure.of},
                            {"how", cure.how},
                            {"noise_db", db_json(noise_db(cure.noise))},
                            {"expected_gain_db", cure.gain_db}});
  }
  out["data"] = data_json(report);
  if (!report.shifts) return out;
  out["against"] = {{"samples", report.against}, {"tensors", Json::array()}};
  for (const accuracy::DataShift& shift : *report.shifts) {
    out["against"]["tensors"].push_back({{"tensor", shift.tensor},
                                         {"distance", shift.distance},
                                         {"outside", shift.outside},
                                         {"data", moments_json(shift.first)},
                                         {"against", moments_json(shift.second)}});
  }
  return out;
}

std::string to_text(const AnalysisReport& report, size_t top) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  const Analysis& analysis = report.analysis;
  const auto after = accumulated(report);
  const auto all = noise_db(accuracy::relative_noise(report.quantized.outputs));
  out << "noise      " << db_text(all) << " dB at the outputs, "
      << db_text(report.quantized.worst_sqnr()) << " at the worst one, on " << analysis.samples
      << " of the samples, for " << report.backend << '\n'
      << "weights    " << db_text(noise_db(analysis.weights)) << " dB with all activations float\n"
      << "data       " << db_text(noise_db(analysis.tensors_noise))
      << " dB with all weights float\n";
  print_layers(out, report, top, after);
  print_tensors(out, report, top);
  print_cures(out, report, top);
  print_data(out, report, top);
  print_shifts(out, report, top);
  return out.str();
}

}  // namespace octet::tools
