#include "compiler/base/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "compiler/base/contained_open.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "octet-files-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  void put(const std::string& name, const std::string& bytes) const {
    ASSERT_TRUE(write_file_atomic(path(name), bytes).ok());
  }

  // Everything in the folder, hidden files included.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_))
      out.push_back(entry.path().filename());
    std::sort(out.begin(), out.end());
    return out;
  }

  std::string folder_;
};

template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, const std::string& part) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), code) << result.error().message();
  EXPECT_THAT(result.error().message(), HasSubstr(part));
}

TEST_F(Files, ReadsBackWhatWasWritten) {
  std::string bytes(3'000'000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  put("a", bytes);
  EXPECT_EQ(*read_file(path("a")), bytes);
  put("a", "");
  EXPECT_EQ(*read_file(path("a")), "");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(Files, ReadRefusesMissingFoldersPipesAndDevices) {
  expect_error(read_file(path("missing")), ErrorCode::kIo,
               "No such file or directory; check the path: the folder");
  expect_error(read_file(path("no/such")), ErrorCode::kIo, "check the path: there is no folder");
  expect_error(read_file(folder_), ErrorCode::kIo, "is a folder");
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  expect_error(read_file(path("pipe")), ErrorCode::kIo, "is a pipe");
  expect_error(read_file("/dev/zero"), ErrorCode::kIo, "not a regular file");
  expect_error(read_file(""), ErrorCode::kIo, "No such file");
}

TEST_F(Files, ReadRefusesWithoutPermission) {
  put("secret", "x");
  ASSERT_EQ(chmod(path("secret").c_str(), 0), 0);
  if (access(path("secret").c_str(), R_OK) == 0) GTEST_SKIP() << "this user may read everything";
  expect_error(read_file(path("secret")), ErrorCode::kIo, "Permission denied");
}

TEST_F(Files, ReadStopsAtTheLimitBeforeTakingMemory) {
  put("a", "12345");
  EXPECT_EQ(*read_file(path("a"), 5), "12345");
  expect_error(read_file(path("a"), 4), ErrorCode::kResourceLimit, "5 bytes; at most 4");
  ASSERT_EQ(truncate(path("a").c_str(), int64_t{1} << 40), 0);
  expect_error(read_file(path("a"), 1 << 20), ErrorCode::kResourceLimit, "1099511627776 bytes");
}

TEST_F(Files, WriteKeepsTheModeAndFollowsLinks) {
  put("real", "old");
  ASSERT_EQ(chmod(path("real").c_str(), 0640), 0);
  ASSERT_EQ(symlink("real", path("link").c_str()), 0);
  put("link", "new");
  EXPECT_EQ(*read_file(path("real")), "new");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  struct stat info {};
  ASSERT_EQ(stat(path("real").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  EXPECT_THAT(names(), ElementsAre("link", "real"));
}

TEST_F(Files, WriteGivesNewFilesTheModeOfTheUmask) {
  const mode_t before = umask(027);
  put("new", "x");
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(path("new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
}

TEST_F(Files, WriteRefusesFoldersDevicesDanglingLinksAndMissingFolders) {
  expect_error(write_file_atomic(folder_, "x"), ErrorCode::kIo, "is a folder");
  expect_error(write_file_atomic("/dev/null", "x"), ErrorCode::kIo, "not a regular file");
  expect_error(write_file_atomic(path("no/such"), "x"), ErrorCode::kIo, "make the folder first");
  expect_error(write_file_atomic(path("new/"), "x"), ErrorCode::kIo, "does not name a file");
  expect_error(write_file_atomic(path(std::string("a\0b", 3)), "x"), ErrorCode::kIo, "Invalid");
  ASSERT_EQ(symlink("nothing", path("dangling").c_str()), 0);
  expect_error(write_file_atomic(path("dangling"), "x"), ErrorCode::kIo, "link to nothing");
  EXPECT_THAT(names(), ElementsAre("dangling"));
}

TEST_F(Files, WriteRefusesAReadOnlyFile) {
  put("a", "old");
  ASSERT_EQ(chmod(path("a").c_str(), 0444), 0);
  if (access(path("a").c_str(), W_OK) == 0) GTEST_SKIP() << "this user may write everything";
  expect_error(write_file_atomic(path("a"), "new"), ErrorCode::kIo, "Permission denied");
  EXPECT_EQ(*read_file(path("a")), "old");
}

// Runs `body` in a child process and returns its wait status.
template <typename Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST_F(Files, WriteLeavesTheOldFileAndNoTemporaryWhenTheDiskIsFull) {
  put("a", "old");
  const int status = in_child([&] {
    remove_temporaries_on_signal();  // ignores SIGXFSZ
    const rlimit limit = {1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const Status written = write_file_atomic(path("a"), std::string(5000, 'x'));
    _exit(written.ok() ? 1 : static_cast<int>(written.error().code()));
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 6);
  EXPECT_EQ(*read_file(path("a")), "old");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(Files, ASignalDuringAWriteRemovesTheTemporary) {
  put("a", "old");
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    const int status = in_child([&] {
      remove_temporaries_on_signal();
      std::atomic<bool> seen{false};
      std::thread watcher([&] {
        while (names().size() < 2) std::this_thread::yield();
        seen = true;
        kill(getpid(), number);
      });
      const std::string big(std::size_t{8} << 20, 'x');
      while (!seen) (void)write_file_atomic(path("a"), big).ok();
      pause();
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), number);
    EXPECT_THAT(names(), ElementsAre("a"));
  }
}

TEST_F(Files, ConcurrentWritersLeaveOneCompleteFile) {
  std::vector<std::thread> writers;
  for (char c : {'a', 'b', 'c'}) {
    writers.emplace_back([this, c] {
      for (int i = 0; i < 20; ++i) (void)write_file_atomic(path("x"), std::string(10000, c)).ok();
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string bytes = *read_file(path("x"));
  EXPECT_EQ(bytes, std::string(10000, bytes.at(0)));
  EXPECT_THAT(names(), ElementsAre("x"));
}

TEST_F(Files, ContainedReadsRangesOfPlainNames) {
  fs::create_directories(path("sub/deeper"));
  put("sub/deeper/w.bin", "0123456789");
  EXPECT_EQ(*read_contained(folder_, "sub/deeper/w.bin", 0, -1), "0123456789");
  EXPECT_EQ(*read_contained(folder_, "sub/deeper/w.bin", 3, 4), "3456");
  EXPECT_EQ(*read_contained(folder_, "sub/deeper/w.bin", 10, -1), "");
  EXPECT_EQ(*read_contained(folder_, "sub/deeper/w.bin", 10, 0), "");
  for (const auto& [offset, length] : std::vector<std::pair<int64_t, int64_t>>{
           {-1, 1}, {0, -2}, {11, -1}, {0, 11}, {9, 2}, {5, INT64_MAX}, {INT64_MAX, 1}}) {
    expect_error(read_contained(folder_, "sub/deeper/w.bin", offset, length), ErrorCode::kMalformed,
                 "which has 10 bytes");
  }
}

TEST_F(Files, ContainedRefusesLocationsThatAreNotPlain) {
  fs::create_directories(path("a"));
  put("x", "1");
  put("a/x", "1");
  for (const std::string& location :
       {std::string("../x"), std::string("a/../../x"), std::string("a/../x"),
        std::string("/etc/passwd"), std::string("C:\\x"), std::string("C:x"), std::string("..\\x"),
        std::string("a//x"), std::string("./x"), std::string(), std::string("."), std::string("a/"),
        std::string("x\0y", 3), std::string(5000, 'x'), std::string("a/."), std::string("..")}) {
    expect_error(read_contained(folder_, location, 0, -1), ErrorCode::kMalformed, "location");
  }
}

class ContainedOpen : public Files, public ::testing::WithParamInterface<ContainedMethod> {};

TEST_P(ContainedOpen, RefusesLinksOfAnyKindWithoutBlocking) {
  fs::create_directories(path("a"));
  put("x", "1");
  put("a/x", "1");
  put("hard", "1");
  ASSERT_EQ(link(path("hard").c_str(), path("harder").c_str()), 0);
  ASSERT_EQ(symlink("x", path("inside").c_str()), 0);
  ASSERT_EQ(symlink("nothing", path("dangling").c_str()), 0);
  ASSERT_EQ(symlink("loop", path("loop").c_str()), 0);
  ASSERT_EQ(symlink("/etc", path("etc").c_str()), 0);
  ASSERT_EQ(symlink("a", path("folder").c_str()), 0);
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  for (const char* location : {"inside", "dangling", "loop", "etc/passwd", "folder/x"}) {
    expect_error(open_contained(folder_, location, GetParam()), ErrorCode::kMalformed,
                 "symbolic link");
  }
  expect_error(open_contained(folder_, "hard", GetParam()), ErrorCode::kMalformed, "2 names");
  expect_error(open_contained(folder_, "pipe", GetParam()), ErrorCode::kIo, "is a pipe");
  expect_error(open_contained(folder_, "a", GetParam()), ErrorCode::kIo, "is a folder");
  expect_error(open_contained(folder_, "x/y", GetParam()), ErrorCode::kIo, "Not a directory");
  expect_error(open_contained(folder_, "no/x", GetParam()), ErrorCode::kIo, "No such file");
  expect_error(open_contained(path("none"), "x", GetParam()), ErrorCode::kIo, "No such file");
  EXPECT_TRUE(open_contained(folder_, "a/x", GetParam()).ok());
}

TEST_P(ContainedOpen, NeverFollowsALinkThatIsSwappedIn) {
  fs::create_directories(path("a"));
  put("a/x", "good");
  fs::create_directories(path("outside"));
  put("outside/x", "evil");
  ASSERT_EQ(symlink("outside", path("b").c_str()), 0);
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    while (!stop) {
      (void)rename(path("a").c_str(), path("c").c_str());
      (void)rename(path("b").c_str(), path("a").c_str());
      (void)rename(path("a").c_str(), path("b").c_str());
      (void)rename(path("c").c_str(), path("a").c_str());
    }
  });
  for (int i = 0; i < 5000; ++i) {
    const auto file = open_contained(folder_, "a/x", GetParam());
    if (!file.ok()) continue;
    EXPECT_EQ(*file->read_string(0, 4), "good");
  }
  stop = true;
  swapper.join();
}

INSTANTIATE_TEST_SUITE_P(Methods, ContainedOpen,
                         ::testing::Values(ContainedMethod::kKernel, ContainedMethod::kWalk));

TEST_F(Files, SameFileLooksThroughLinks) {
  put("a", "1");
  put("b", "1");
  ASSERT_EQ(symlink("a", path("link").c_str()), 0);
  ASSERT_EQ(link(path("a").c_str(), path("hard").c_str()), 0);
  EXPECT_TRUE(same_file(path("a"), path("link")));
  EXPECT_TRUE(same_file(path("a"), path("hard")));
  EXPECT_TRUE(same_file(path("a"), folder_ + "/./a"));
  EXPECT_FALSE(same_file(path("a"), path("b")));
  EXPECT_FALSE(same_file(path("a"), path("missing")));
  EXPECT_FALSE(same_file(path("missing"), path("missing")));
}

TEST_F(Files, ListsRegularFilesSortedByBytes) {
  for (const char* name : {"b.jpg", "a.jpg", "B.jpg", "10.jpg", "9.jpg"}) put(name, "");
  fs::create_directories(path("folder"));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  ASSERT_EQ(symlink("a.jpg", path("link.jpg").c_str()), 0);
  EXPECT_THAT(*list_files(folder_),
              ElementsAre("10.jpg", "9.jpg", "B.jpg", "a.jpg", "b.jpg", "link.jpg"));
  EXPECT_TRUE(is_directory(folder_));
  EXPECT_FALSE(is_directory(path("a.jpg")));
  EXPECT_FALSE(is_directory(path("missing")));
  expect_error(list_files(path("missing")), ErrorCode::kIo, "No such file");
}

}  // namespace
}  // namespace octet
