// Samples that cannot be used: exit 8 and what to mend, or 6 where there is no such file.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "compiler/base/result.h"
#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::file_bytes;
using test::npy_bytes;
using test::raw;
using test::run_octet;

// The model takes [N, 1, 16, 16].
constexpr size_t kPixels = 256;

class BadData : public test::Refusals {
 protected:
  std::string put(const std::string& bytes) const { return folder_.put("data.npy", bytes); }

  void refused_data(int code, const std::string& data, const std::vector<std::string>& parts,
                    const std::vector<std::string>& more = {}) const {
    refused(code, quantize(model(), data, more), parts);
  }

  // Four samples, `value` at element 5 of the third.
  std::string spoilt(float value) const {
    std::vector<float> values(4 * kPixels, 0.25F);
    values[2 * kPixels + 5] = value;
    return put(npy_bytes("<f4", "(4, 1, 16, 16)", raw(values)));
  }
};

const std::vector<std::string> kPictures = {"--preprocess", "size=16x16,channels=gray"};

TEST_F(BadData, MissingFile) {
  refused_data(6, folder_.path("none.npy"), {"none.npy", "No such file", "check the path"});
  refused_data(6, folder_.path("none/x.npy"), {"there is no folder", "none"});
}

TEST_F(BadData, MissingFileNamesTheNearest) {
  folder_.put("calibration.npy", "");
  folder_.put("evaluation.npy", "");
  refused_data(6, folder_.path("calibratoin.npy"),
               {"the nearest name there is \"calibration.npy\""});
}

TEST_F(BadData, RandomWithoutANumber) { refused_data(2, "random", {"\"random\"", "random:8"}); }

TEST_F(BadData, Nan) {
  refused_data(8, spoilt(std::nanf("")), {"data.npy", "sample 2", "input \"input\"", "NaN"});
}

// Whatever is made of the samples, and however many look at them.
TEST_F(BadData, NanForEveryVerbAndEffort) {
  const std::string path = spoilt(std::nanf(""));
  const std::vector<std::string> parts = {"data.npy", "sample 2", "NaN"};
  for (const char* effort : {"fast", "default"}) {
    refused_data(8, path, parts, {"--effort", effort, "--threads", "4"});
  }
  refused_data(8, path, parts, {"--min-sqnr", "20"});
  refused(8, {"plan", model(), "--data", path, "-q", "-o", out()}, parts);
  refused(8, {"calibrate", model(), "--data", path, "-q", "-o", out()}, parts);
  refused(8, {"calibrate", model(), "--data", path, "--second-order", "-q", "-o", out()}, parts);
}

TEST_F(BadData, Infinity) {
  refused_data(8, spoilt(-std::numeric_limits<float>::infinity()),
               {"data.npy", "sample 2", "input \"input\"", "infinity"});
}

// Samples beyond --samples serve only to measure the error: those before do as well.
TEST_F(BadData, NanBeyondTheSamplesUsedDoesNoHarm) {
  const auto run = run_octet(quantize(model(), spoilt(std::nanf("")), {"--samples", "2"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::HasSubstr("on 2 of the calibration samples"));
}

TEST_F(BadData, WrongRank) {
  refused_data(8, put(npy_bytes("<f4", "(4, 256)", raw(std::vector<float>(4 * kPixels)))),
               {"data.npy", "input \"input\"", "[N,1,16,16]", "[4,256]"});
}

TEST_F(BadData, WrongExtent) {
  refused_data(8, put(npy_bytes("<f4", "(2, 2, 16, 16)", raw(std::vector<float>(4 * kPixels)))),
               {"data.npy", "input \"input\"", "[N,1,16,16]", "[2,2,16,16]"});
}

TEST_F(BadData, WrongElementType) {
  refused_data(8, put(npy_bytes("<i4", "(1, 1, 16, 16)", raw(std::vector<int32_t>(kPixels)))),
               {"data.npy", "input \"input\"", "float32", "int32"});
}

TEST_F(BadData, PythonObjects) {
  refused_data(8, put(npy_bytes("|O", "(2,)", std::string(16, 'x'))), {"data.npy", "pickle"});
}

TEST_F(BadData, CutShort) {
  const std::string whole = file_bytes(data());
  for (const size_t length : {size_t{1}, size_t{6}, size_t{9}, size_t{40}, size_t{127}, size_t{128},
                              size_t{129}, whole.size() / 2, whole.size() - 1}) {
    refused_data(8, put(whole.substr(0, length)), {"data.npy"});
  }
  refused_data(8, put(whole.substr(0, whole.size() - 1)),
               {"claims float32[100,1,16,16], 102400 bytes, and has 102399"});
}

TEST_F(BadData, EmptyAndTextFiles) {
  refused_data(8, put(""), {"data.npy", "neither .npy nor .npz"});
  refused_data(8, put("hello\n"), {"data.npy", "neither .npy nor .npz"});
}

TEST_F(BadData, NoSamplesInTheFile) {
  refused_data(8, put(npy_bytes("<f4", "(0, 1, 16, 16)", "")), {"data.npy", "no samples"});
}

TEST_F(BadData, EmptyFolder) {
  const std::string empty = folder_.path("empty");
  std::filesystem::create_directory(empty);
  refused_data(8, empty, {"empty", "no samples", "JPEG or PNG"});
  refused_data(8, empty, {"empty", "no samples"}, kPictures);
}

TEST_F(BadData, FolderWithoutSamples) {
  folder_.put("notes/readme.txt", "nothing to see\n");
  refused_data(8, folder_.path("notes"), {"notes", "no samples"});
}

TEST_F(BadData, PicturesThatAreNone) {
  folder_.put("photos/a.jpg", "not a picture");
  refused_data(8, folder_.path("photos"), {"photos/a.jpg", "neither JPEG nor PNG"}, kPictures);
}

TEST_F(BadData, OneBrokenPictureAmongSoundOnes) {
  const std::vector<uint8_t> pixels(kPixels, 100);
  const std::string sound = test::png_bytes(16, 16, 1, pixels);
  const std::string photo = test::jpeg_bytes(16, 16, 1, pixels);
  folder_.put("photos/a.png", sound);
  folder_.put("photos/b.png", sound.substr(0, sound.size() / 2));
  folder_.put("photos/c.jpg", photo);
  refused_data(8, folder_.path("photos"), {"photos/b.png"}, kPictures);
  folder_.put("photos/b.png", sound);
  folder_.put("photos/c.jpg", photo.substr(0, 30));
  refused_data(8, folder_.path("photos"), {"photos/c.jpg"}, kPictures);
}

TEST_F(BadData, PicturesNeedPreprocessing) {
  folder_.put("photos/a.png", test::png_bytes(2, 2, 1, {1, 2, 3, 4}));
  refused_data(2, folder_.path("photos"), {"photos", "--preprocess"});
  refused_data(2, folder_.path("photos"), {"\"siz\"", "the nearest is \"size\""},
               {"--preprocess", "siz=16x16"});
}

TEST_F(BadData, RandomSamplesNeedANumber) {
  refused_data(2, "random:0", {"random:N"});
  refused_data(2, "random:many", {"random:N"});
}

TEST_F(BadData, LabelsOfAnotherLength) {
  const std::string labels = folder_.put("labels.txt", "1\n2\n3\n");
  refused(8, {"compare", model(), model(), "--data", data(), "-q", "--labels", labels},
          {"labels.txt"});
}

// One warning per run, on its own line, and the work goes on.
TEST_F(BadData, UselessSamplesAreWarnedOf) {
  const auto warnings = [&](const std::vector<float>& values, size_t samples) {
    const std::string shape = cat("(", samples, ", 1, 16, 16)");
    auto arguments = quantize(model(), put(npy_bytes("<f4", shape, raw(values))));
    arguments.erase(std::find(arguments.begin(), arguments.end(), "-q"));
    const auto run = run_octet(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    std::string out;
    std::istringstream lines(run.err);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("warning") != std::string::npos) out += line + "\n";
    }
    return out;
  };
  std::vector<float> values(3 * kPixels);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((i * 37) % 101) / 100;
  EXPECT_EQ(warnings(values, 3), "");
  std::copy_n(values.begin(), kPixels, values.begin() + kPixels);
  EXPECT_EQ(warnings(values, 3),
            "octet: warning: of 3 calibration samples 1 repeat another: give samples as the model "
            "will see them\n");
  std::fill_n(values.begin(), kPixels, 0.5F);
  EXPECT_EQ(warnings(values, 3),
            "octet: warning: of 3 calibration samples 1 hold one number only: give samples as the "
            "model will see them\n");
  std::fill_n(values.begin(), 2 * kPixels, 0.0F);
  EXPECT_EQ(warnings(values, 3),
            "octet: warning: of 3 calibration samples 2 hold nothing but zeros and 1 repeat "
            "another: give samples as the model will see them\n");
}

// Nothing can be learnt from zeros alone.
TEST_F(BadData, NothingButZeros) {
  const std::string zeros =
      put(npy_bytes("<f4", "(3, 1, 16, 16)", raw(std::vector<float>(3 * kPixels))));
  for (const char* effort : {"fast", "default"}) {
    refused_data(8, zeros,
                 {"--data", "all 3 calibration samples hold nothing but zeros", "give samples"},
                 {"--effort", effort});
  }
  refused(8, {"plan", model(), "--data", zeros, "-q", "-o", out()}, {"nothing but zeros"});
  refused(8, {"calibrate", model(), "--data", zeros, "-q", "-o", out()}, {"nothing but zeros"});
  refused_data(8, zeros, {"nothing but zeros"}, {"--min-sqnr", "20"});
  // The samples beyond --samples are not looked at.
  refused_data(8, zeros, {"all 2 calibration samples"}, {"--samples", "2"});
}

TEST_F(BadData, RandomSamplesAreWarnedOf) {
  const auto run = run_octet({"quantize", model(), "--data", "random:2", "-o", out()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, ::testing::HasSubstr("octet: warning: the calibration samples are random"));
}

}  // namespace
}  // namespace octet
