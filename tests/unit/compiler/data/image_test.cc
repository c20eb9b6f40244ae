// Decoding, resizing and preprocessing pictures.
#include "compiler/data/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "compiler/data/dataset.h"
#include "compiler/data/preprocess.h"
#include "compiler/data/resize.h"
#include "tests/support/data_files.h"

namespace octet::data {
namespace {

using ir::Dim;
using ir::DType;
using ir::Shape;
using test::DataFolder;
using test::jpeg_bytes;
using test::npy_bytes;
using test::png_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, const std::vector<std::string>& parts) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), code) << result.error().message();
  for (const std::string& part : parts) EXPECT_THAT(result.error().message(), HasSubstr(part));
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// The picture that the expectations below were made from.
Image formula_picture(int64_t width, int64_t height) {
  Image image{width, height, 3, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      image.pixels.push_back(static_cast<uint8_t>(x * 37 + y * 91 + x * y * 13));
      image.pixels.push_back(static_cast<uint8_t>(x * x * 5 + y * 17));
      image.pixels.push_back(static_cast<uint8_t>(y * y * 11 + x * 29 + 7));
    }
  }
  return image;
}

// Output of Pillow 13.0: Image.fromarray(picture).resize((width, height), Image.BILINEAR) for the
// formula above in NumPy, 7 x 5 pixels.
struct Expected {
  int64_t width;
  int64_t height;
  std::vector<uint8_t> pixels;
};
const Expected kPillow[] = {
    {3,
     2,
     {
         110,
         23,
         51,
         141,
         67,
         113,
         141,
         152,
         171,
         122,
         57,
         139,
         145,
         101,
         143,
         137,
         186,
         144,
     }},
    {10,
     8,
     {
         0,   0,   7,   20,  3,   23,  46,  9,   43,  72,  19,  64,  98,  36,  84,  124, 57,  104,
         150, 82,  124, 176, 114, 145, 202, 150, 165, 222, 180, 181, 40,  7,   12,  63,  10,  28,
         93,  16,  48,  123, 26,  69,  153, 43,  89,  144, 64,  109, 101, 89,  129, 131, 121, 150,
         161, 157, 170, 184, 187, 186, 97,  18,  20,  124, 21,  36,  157, 27,  56,  181, 37,  77,
         216, 54,  97,  167, 75,  117, 46,  100, 137, 83,  132, 158, 111, 168, 178, 130, 198, 194,
         154, 29,  41,  186, 32,  57,  184, 38,  77,  102, 48,  98,  134, 65,  118, 147, 86,  138,
         136, 111, 158, 178, 143, 179, 140, 179, 199, 75,  209, 215, 130, 39,  68,  168, 42,  84,
         170, 48,  104, 94,  58,  125, 132, 75,  145, 151, 96,  165, 146, 121, 185, 193, 153, 206,
         161, 189, 190, 101, 219, 162, 27,  50,  103, 69,  53,  119, 117, 59,  139, 159, 69,  160,
         210, 86,  180, 179, 107, 200, 76,  132, 220, 128, 164, 241, 174, 200, 153, 206, 230, 37,
         68,  61,  149, 114, 64,  165, 136, 70,  185, 94,  80,  206, 145, 97,  132, 164, 118, 102,
         143, 143, 122, 100, 175, 143, 122, 211, 113, 168, 241, 67,  108, 68,  183, 157, 71,  199,
         155, 77,  219, 38,  87,  240, 88,  104, 93,  150, 125, 24,  200, 150, 44,  83,  182, 65,
         81,  218, 85,  130, 248, 101,
     }},
    {7,
     3,
     {
         39,  7,   12,  82,  12,  41,  124, 27,  70,  167, 52,  99,  100, 87,  128, 142,
         132, 157, 185, 187, 186, 125, 34,  56,  188, 39,  85,  109, 54,  114, 172, 79,
         143, 121, 114, 172, 184, 159, 201, 105, 214, 173, 69,  61,  150, 152, 66,  179,
         90,  81,  208, 173, 106, 91,  147, 141, 120, 84,  186, 149, 167, 241, 68,
     }},
    {4,
     5,
     {
         19,  3,   22,  77,  24,  67,  145, 79,  121, 203, 152, 166, 117, 20,  33,
         195, 41,  78,  103, 96,  132, 109, 169, 177, 203, 37,  66,  108, 58,  111,
         173, 113, 165, 137, 186, 210, 57,  54,  121, 175, 75,  166, 131, 130, 220,
         177, 203, 131, 142, 71,  198, 88,  92,  172, 150, 147, 41,  96,  220, 86,
     }},
};

TEST(Resize, GivesTheBytesOfPillow) {
  const Image picture = formula_picture(7, 5);
  for (const Expected& expected : kPillow) {
    const ResizeTo to{expected.width, expected.height, 0, 0, expected.width, expected.height};
    EXPECT_EQ(resize_bilinear(picture, to)->pixels, expected.pixels)
        << expected.width << " x " << expected.height;
  }
}

// sum(byte[i] * (i % 251 + 1)) over all bytes.
int64_t checksum(const Image& image) {
  int64_t sum = 0;
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    sum += image.pixels[i] * static_cast<int64_t>(i % 251 + 1);
  }
  return sum;
}

// Checksums of what Pillow 13.0 and NumPy make of the 61 x 47 picture: resize((20, 33)),
// convert("L"), and resize((31, 24)) with columns [3, 27) kept.
TEST(Resize, GivesTheChecksumsOfPillow) {
  const Image picture = formula_picture(61, 47);
  EXPECT_EQ(checksum(*resize_bilinear(picture, {20, 33, 0, 0, 20, 33})), 31299500);
  Preprocess gray;
  gray.channels = Channels::kGray;
  EXPECT_EQ(checksum(*Preprocessor(gray).prepare(picture)), 45328282);
  Preprocess crop;
  crop.height = 24;
  crop.width = 24;
  crop.fit = Fit::kCenterCrop;
  EXPECT_EQ(checksum(*Preprocessor(crop).prepare(picture)), 27445967);
}

TEST(Resize, CropsWithoutResizingWhenTheSizeFits) {
  const Image picture = formula_picture(9, 4);
  Preprocess crop;
  crop.height = 4;
  crop.width = 5;
  crop.fit = Fit::kCenterCrop;
  const Image out = *Preprocessor(crop).prepare(picture);
  ASSERT_EQ(out.pixels.size(), 4U * 5 * 3);
  for (int64_t y = 0; y < 4; ++y) {
    const auto* row = picture.pixels.data() + (y * 9 + 2) * 3;
    EXPECT_TRUE(std::equal(row, row + 15, out.pixels.data() + y * 15));
  }
}

TEST(Resize, KeepsAConstantPictureConstantAtAnySize) {
  for (const uint8_t value : {0, 1, 127, 255}) {
    const Image flat{13, 11, 3, std::vector<uint8_t>(13 * 11 * 3, value)};
    for (const int64_t size : {1, 2, 5, 12, 40}) {
      const Image out = *resize_bilinear(flat, {size, size + 1, 0, 0, size, size + 1});
      EXPECT_EQ(out.pixels,
                std::vector<uint8_t>(static_cast<size_t>(size * (size + 1) * 3), value));
    }
  }
}

TEST(DecodePng, GivesRgbForEveryKindOfPicture) {
  const std::vector<uint8_t> rgb = {1, 2, 3, 4, 5, 6, 250, 251, 252, 253, 254, 255};
  const Image image = *decode_image(bytes_of(png_bytes(2, 2, 3, rgb)));
  EXPECT_EQ(image.width, 2);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.pixels, rgb);
  EXPECT_THAT(decode_image(bytes_of(png_bytes(2, 1, 1, {9, 200})))->pixels,
              ElementsAre(9, 9, 9, 200, 200, 200));
  EXPECT_THAT(decode_image(bytes_of(png_bytes(2, 1, 4, {1, 2, 3, 0, 4, 5, 6, 128})))->pixels,
              ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(decode_image(bytes_of(png_bytes(1, 1, 2, {7, 128})))->pixels, ElementsAre(7, 7, 7));
}

TEST(DecodeJpeg, ComesCloseToWhatWasEncoded) {
  for (const int channels : {1, 3}) {
    std::vector<uint8_t> pixels;
    for (int i = 0; i < 16 * 16; ++i) {
      for (int c = 0; c < channels; ++c) pixels.push_back(static_cast<uint8_t>(i / 16 * 10 + 40));
    }
    const Image image = *decode_image(bytes_of(jpeg_bytes(16, 16, channels, pixels)));
    EXPECT_EQ(image.width, 16);
    EXPECT_EQ(image.channels, 3);
    for (size_t i = 0; i < image.pixels.size(); ++i) {
      const int wanted = pixels[i / 3 * static_cast<size_t>(channels)];
      EXPECT_LE(std::abs(image.pixels[i] - wanted), 4);
    }
  }
}

TEST(DecodeJpeg, RefusesCmyk) {
  expect_error(decode_image(bytes_of(jpeg_bytes(1, 1, 4, {1, 2, 3, 4}))), ErrorCode::kBadData,
               {"CMYK"});
}

TEST(DecodeImage, RefusesTruncatedPictures) {
  const Image picture = formula_picture(40, 30);
  const std::string jpeg = jpeg_bytes(40, 30, 3, picture.pixels);
  const std::string png = png_bytes(40, 30, 3, picture.pixels);
  for (size_t size = 0; size + 2 < jpeg.size(); size += 7) {
    expect_error(decode_image(bytes_of(jpeg.substr(0, size))), ErrorCode::kBadData, {});
  }
  for (size_t size = 0; size < png.size(); size += 7) {
    expect_error(decode_image(bytes_of(png.substr(0, size))), ErrorCode::kBadData, {});
  }
  expect_error(decode_image(bytes_of("GIF89a..")), ErrorCode::kBadData, {"neither JPEG nor PNG"});
}

TEST(DecodeImage, SurvivesEveryByteChanged) {
  const Image picture = formula_picture(9, 7);
  for (const std::string& whole :
       {jpeg_bytes(9, 7, 3, picture.pixels), png_bytes(9, 7, 3, picture.pixels)}) {
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const int flip : {1, 0x40, 0xFF}) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        (void)decode_image(bytes_of(changed)).ok();
      }
    }
  }
}

TEST(DecodeImage, RefusesHugeClaimsBeforeTakingMemory) {
  std::string jpeg = jpeg_bytes(8, 8, 3, std::vector<uint8_t>(192, 1));
  const size_t frame = jpeg.find("\xff\xc0");
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  expect_error(decode_image(bytes_of(jpeg)), ErrorCode::kBadData, {"65500 x 65500"});
}

InputSpec picture_input(DType dtype, std::vector<Dim> dims) {
  return {"image", {dtype, Shape(std::move(dims))}};
}

OpenOptions with(const std::string& preprocess) {
  OpenOptions options;
  options.preprocess = *parse_preprocess(preprocess);
  return options;
}

const InputSpec kSmall = picture_input(DType::kFloat32, {1, 3, 1, 2});

TEST(Pictures, BecomePlanesOfNormalizedValues) {
  DataFolder folder;
  folder.put("b.png", png_bytes(2, 1, 3, {10, 20, 30, 40, 50, 60}));
  folder.put("a.PNG", png_bytes(2, 1, 3, {1, 2, 3, 4, 5, 6}));
  folder.put("labels.txt", "ignored");
  const auto rgb = open_dataset(folder.path(), {kSmall}, with("mean=1:2:3,std=2"));
  ASSERT_TRUE(rgb.ok()) << rgb.error().message();
  ASSERT_EQ((*rgb)->size(), 2U);
  EXPECT_EQ((*(*rgb)->get(0))[0], ir::Tensor::of<float>({1, 3, 1, 2}, {0, 1.5F, 0, 1.5F, 0, 1.5F}));
  const auto bgr = open_dataset(folder.path(), {kSmall}, with("channels=bgr,mean=0:1:2"));
  EXPECT_EQ((*(*bgr)->get(1))[0], ir::Tensor::of<float>({1, 3, 1, 2}, {30, 60, 19, 49, 8, 38}));
  const InputSpec interleaved = picture_input(DType::kUint8, {Dim::named("N"), 1, 2, 3});
  const auto bytes = open_dataset(folder.path(), {interleaved}, with("layout=nhwc,channels=bgr"));
  EXPECT_EQ((*(*bytes)->get(1))[0],
            ir::Tensor::of<uint8_t>({1, 1, 2, 3}, {30, 20, 10, 60, 50, 40}));
}

TEST(Pictures, FillTheBatchThatTheModelFixes) {
  DataFolder folder;
  for (int i = 0; i < 4; ++i) {
    const auto value = static_cast<uint8_t>(i);
    folder.put(std::to_string(i) + ".png", png_bytes(1, 1, 1, {value}));
  }
  const InputSpec pairs = picture_input(DType::kFloat32, {2, 1, 1, 1});
  const auto dataset = open_dataset(folder.path(), {pairs}, with("channels=gray"));
  ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  ASSERT_EQ((*dataset)->size(), 2U);
  EXPECT_EQ((*(*dataset)->get(1))[0], ir::Tensor::of<float>({2, 1, 1, 1}, {2, 3}));
  folder.put("4.png", png_bytes(1, 1, 1, {9}));
  expect_error(open_dataset(folder.path(), {pairs}, with("channels=gray")), ErrorCode::kBadData,
               {"2 pictures at a time", "5"});
}

TEST(Pictures, KeepTheirSizeWhereNeitherModelNorPreprocessGivesOne) {
  DataFolder folder;
  folder.put("a.png", png_bytes(3, 2, 3, std::vector<uint8_t>(18, 5)));
  const InputSpec dynamic = picture_input(DType::kFloat32, {1, 3, Dim(), Dim()});
  const auto dataset = open_dataset(folder.path(), {dynamic}, with("mean=0"));
  EXPECT_THAT((*(*dataset)->get(0))[0].shape(), ElementsAre(1, 3, 2, 3));
  const auto sized = open_dataset(folder.path(), {dynamic}, with("size=5x4"));
  EXPECT_THAT((*(*sized)->get(0))[0].shape(), ElementsAre(1, 3, 5, 4));
}

TEST(Pictures, NameTheOneBadFileAmongMany) {
  DataFolder folder;
  const std::string good = png_bytes(2, 1, 3, {1, 2, 3, 4, 5, 6});
  for (int i = 0; i < 30; ++i) folder.put(std::to_string(i) + ".png", good);
  folder.put("17.png", "this is text, not a picture");
  expect_error(open_dataset(folder.path(), {kSmall}, with("mean=0")), ErrorCode::kBadData,
               {"17.png", "neither JPEG nor PNG"});
  folder.put("17.png", good.substr(0, good.size() - 30));
  const auto dataset = open_dataset(folder.path(), {kSmall}, with("mean=0"));
  ASSERT_TRUE(dataset.ok());
  int failures = 0;
  for (size_t i = 0; i < (*dataset)->size(); ++i) {
    const auto sample = (*dataset)->get(i);
    if (sample.ok()) continue;
    ++failures;
    expect_error(sample, ErrorCode::kBadData, {"17.png", "damaged PNG"});
  }
  EXPECT_EQ(failures, 1);
}

TEST(Pictures, RefuseInputsTheyDoNotFitNamingBothShapes) {
  DataFolder folder;
  folder.put("a.png", png_bytes(2, 1, 3, {1, 2, 3, 4, 5, 6}));
  const auto open = [&](const InputSpec& spec, const std::string& preprocess) {
    return open_dataset(folder.path(), {spec}, with(preprocess));
  };
  expect_error(open_dataset(folder.path(), {kSmall}, {}), ErrorCode::kUsage, {"--preprocess"});
  expect_error(open_dataset(folder.path(), {kSmall, kSmall}, with("mean=0")), ErrorCode::kBadData,
               {"2 inputs"});
  expect_error(open(kSmall, "size=4x4"), ErrorCode::kBadData, {"takes [1,3,1,2]", "[1,3,4,4]"});
  expect_error(open(kSmall, "channels=gray"), ErrorCode::kBadData, {"[1,1,?,?]"});
  expect_error(open(kSmall, "layout=nhwc"), ErrorCode::kBadData, {"layout nhwc"});
  expect_error(open(picture_input(DType::kFloat32, {1, 6}), "mean=0"), ErrorCode::kBadData,
               {"takes [1,6]"});
  expect_error(open(picture_input(DType::kInt64, {1, 3, 1, 2}), "mean=0"), ErrorCode::kBadData,
               {"takes int64"});
  expect_error(open(picture_input(DType::kUint8, {1, 3, 1, 2}), "mean=3"), ErrorCode::kUsage,
               {"takes uint8"});
  const std::string file = folder.path("a.png");
  expect_error(open_dataset(file, {kSmall}, with("mean=0")), ErrorCode::kBadData,
               {"one picture; give the folder"});
}

TEST(Pictures, ComeFromArraysOfBytesToo) {
  DataFolder folder;
  const std::string path = folder.put(
      "p.npy", npy_bytes("|u1", "(2, 1, 2, 3)", std::string("\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c")));
  const auto dataset = open_dataset(path, {kSmall}, with("channels=bgr,std=2"));
  ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  EXPECT_EQ((*(*dataset)->get(1))[0],
            ir::Tensor::of<float>({1, 3, 1, 2}, {4.5F, 6, 4, 5.5F, 3.5F, 5}));
  const InputSpec gray = picture_input(DType::kFloat32, {1, 1, 2, 2});
  const std::string flat = folder.put("g.npy", npy_bytes("|u1", "(1, 2, 2)", "\1\2\3\4"));
  EXPECT_EQ((*(*open_dataset(flat, {gray}, with("channels=gray")).value()->get(0)).begin()),
            ir::Tensor::of<float>({1, 1, 2, 2}, {1, 2, 3, 4}));
  const std::string five = folder.put("f.npy", npy_bytes("|u1", "(1, 1, 1, 5)", "12345"));
  expect_error(open_dataset(five, {kSmall}, with("mean=0")), ErrorCode::kBadData,
               {"uint8[N,height,width,3]", "[1,1,1,5]"});
}

TEST(ParsePreprocess, ReadsTheListAndTheFileAlike) {
  DataFolder folder;
  const std::string file = folder.put(
      "p.textproto",
      "# as the model was trained\nheight: 224 width: 320 fit: \"crop\" channels: \"bgr\"\n"
      "mean: [103.5, 116.3, 123.7] std: 57.4 std: 57.1 std: 58.4 layout: \"nhwc\"");
  const std::string list =
      "size=224x320,fit=crop,channels=bgr,mean=103.5:116.3:123.7,std=57.4:57.1:58.4,layout=nhwc";
  for (const std::string& text : {file, list}) {
    const Preprocess p = *parse_preprocess(text);
    EXPECT_EQ(p.height, 224);
    EXPECT_EQ(p.width, 320);
    EXPECT_EQ(p.fit, Fit::kCenterCrop);
    EXPECT_EQ(p.channels, Channels::kBgr);
    EXPECT_EQ(p.layout, Layout::kNhwc);
    EXPECT_THAT(p.mean, ElementsAre(103.5, 116.3, 123.7));
    EXPECT_THAT(p.std, ElementsAre(57.4, 57.1, 58.4));
  }
  EXPECT_EQ(parse_preprocess("size=64")->width, 64);
  EXPECT_EQ(parse_preprocess("size=64")->height, 64);
}

TEST(ParsePreprocess, NamesTheNearestValidWord) {
  expect_error(parse_preprocess("meen=1"), ErrorCode::kUsage, {"\"meen\"", "nearest is \"mean\""});
  expect_error(parse_preprocess("channels=rbg"), ErrorCode::kUsage, {"\"rbg\"", "\"rgb\""});
  expect_error(parse_preprocess("fit=center"), ErrorCode::kUsage,
               {"\"center\"", "there are \"stretch\", \"crop\""});
  expect_error(parse_preprocess("layout=nchv"), ErrorCode::kUsage, {"\"nchw\""});
}

TEST(ParsePreprocess, RefusesValuesThatMakeNoSense) {
  for (const char* text : {"size=0", "size=4x", "size=4x4x4", "size=-3", "mean=", "mean=a",
                           "mean=1:2", "std=0", "std=-1", "std=nan", "mean=inf", "mean=1,mean=2",
                           "mean=1,,std=1", "=3", "mean=1,fit", "channels=gray,mean=1:2:3"}) {
    expect_error(parse_preprocess(text), ErrorCode::kUsage, {"preprocess"});
  }
}

TEST(ParsePreprocess, LocatesErrorsInAFile) {
  DataFolder folder;
  const std::string typo = folder.put("p.textproto", "height: 224\nwidht: 224\n");
  expect_error(parse_preprocess(typo), ErrorCode::kUsage, {"p.textproto:2:", "widht"});
  const std::string word = folder.put("q.textproto", "fit: \"croop\"");
  expect_error(parse_preprocess(word), ErrorCode::kUsage, {"q.textproto", "\"crop\""});
  expect_error(parse_preprocess(folder.path("none.textproto")), ErrorCode::kIo, {"No such file"});
}

}  // namespace
}  // namespace octet::data
