// SPDX-License-Identifier: Apache-2.0
#include "sm/audit/trail.h"

#include "sm/audit/lines.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>

namespace stem::sm::audit {
namespace {

std::filesystem::path numbered(const std::filesystem::path& file, std::uint32_t number) {
    return number == 0 ? file : std::filesystem::path(fmt::format("{}.{}", file.native(), number));
}

} // namespace

Result<Trail::File> Trail::open_file(const std::filesystem::path& path) {
    const std::string attempt = "open audit file " + path.string();
    UniqueFd fd(
        ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!fd) {
        return fail_errno(attempt, errno,
                          "name a file in a folder that this user may write to ([audit] file)");
    }
    struct stat about{};
    if (::fstat(fd.get(), &about) != 0) {
        return fail_errno(attempt);
    }
    if (!S_ISREG(about.st_mode)) {
        return fail(attempt, "it is no regular file", "name another ([audit] file)");
    }
    if ((about.st_mode & 0177U) != 0 &&
        ::fchmod(fd.get(), 0600) != 0) { // who called whom is nobody else's business
        return fail_errno(attempt + " with mode 0600");
    }
    File file{std::move(fd), static_cast<std::uint64_t>(about.st_size)};
    char last = '\n';
    if (file.size > 0 && ::pread(file.fd.get(), &last, 1, about.st_size - 1) == 1 && last != '\n' &&
        ::write(file.fd.get(), "\n", 1) == 1) { // an earlier process was cut off in the middle of a line
        ++file.size;
    }
    return file;
}

Result<std::unique_ptr<Trail>> Trail::open(Settings settings) {
    auto file = open_file(settings.file);
    if (!file) {
        return std::unexpected(file.error());
    }
    std::unique_ptr<Trail> trail(new Trail(std::move(settings)));
    trail->take(std::move(*file));
    for (const auto& path : trail->files()) {
        if (const auto last = last_number_of(path)) {
            trail->next_ = *last + 1;
            break;
        }
    }
    trail->sync_ = trail->settings_.sync;
    trail->syncer_ =
        std::jthread([own = trail.get()](const std::stop_token& stop) { own->sync_from_time_to_time(stop); });
    return trail;
}

Trail::~Trail() {
    syncer_ = {}; // stops and joins
    if (unsynced_ && fd_) {
        static_cast<void>(::fdatasync(fd_->get()));
    }
}

void Trail::take(File file) {
    size_ = file.size;
    const std::lock_guard lock(mutex_);
    fd_ = std::make_shared<UniqueFd>(std::move(file.fd));
}

void Trail::sync_from_time_to_time(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        std::shared_ptr<UniqueFd> fd;
        {
            std::unique_lock lock(mutex_);
            const auto pause = sync_.count() == 0 ? std::chrono::milliseconds(1000) : sync_;
            wake_.wait_for(lock, stop, pause, [] { return false; });
            fd = sync_.count() == 0 ? nullptr : fd_;
        }
        if (fd && unsynced_.exchange(false)) {
            static_cast<void>(
                ::fdatasync(fd->get())); // what it could not bring to the disk, write() will hear of
        }
    }
}

std::vector<std::filesystem::path> Trail::files() const {
    std::vector<std::filesystem::path> list;
    for (std::uint32_t number = 0; number <= settings_.files; ++number) {
        std::error_code ignored;
        if (const auto path = numbered(settings_.file, number); std::filesystem::exists(path, ignored)) {
            list.push_back(path);
        }
    }
    return list;
}

void Trail::rotate() {
    std::error_code error;
    if (settings_.files == 0) {
        std::filesystem::remove(settings_.file, error);
    }
    for (std::uint32_t number = settings_.files; number > 0; --number) { // the last is replaced
        const auto from = numbered(settings_.file, number - 1);
        if (std::filesystem::exists(from, error)) {
            std::filesystem::rename(from, numbered(settings_.file, number), error);
        }
        if (error) {
            fail_with(fmt::format("turn over audit file {}: {}", from.string(), error.message()));
            return; // goes on in the full one
        }
    }
    auto file = open_file(settings_.file);
    if (!file) {
        fail_with(file.error().message());
        return;
    }
    take(std::move(*file));
    ++counts_.rotated;
}

void Trail::fail_with(const std::string& why) {
    const bool news = failure_.empty();
    failure_ = why;
    if (news && listener_) {
        listener_(failure_);
    }
}

bool Trail::append(const Record& record) {
    std::string line = fmt::format("{{\"seq\":{},{}}}\n", next_, record.body());
    if (line.size() > longest_line) {
        line = fmt::format(R"({{"seq":{},"kind":"gap","lost":1,"why":"a record of {} octets"}})"
                           "\n",
                           next_, line.size());
    }
    if (size_ > 0 && size_ + line.size() > settings_.octets) {
        rotate();
    }
    const ssize_t written = ::write(fd_->get(), line.data(), line.size());
    if (written != static_cast<ssize_t>(line.size())) {
        const int cause = written < 0 ? errno : ENOSPC;
        if (written > 0) { // no half a line
            static_cast<void>(::ftruncate(fd_->get(), static_cast<off_t>(size_)));
        }
        fail_with(fmt::format("write audit file {}: {}", settings_.file.string(), std::strerror(cause)));
        return false;
    }
    size_ += line.size();
    ++next_;
    ++counts_.written;
    unsynced_ = true;
    return true;
}

void Trail::write(const Record& record) {
    if (missing_ > 0) {
        Record gap(Kind::gap, std::chrono::system_clock::now(), "audit");
        gap.number("lost", static_cast<std::int64_t>(missing_)).text("why", failure_);
        if (append(gap)) {
            missing_ = 0;
        }
    }
    if (missing_ > 0 || !append(record)) {
        ++missing_;
        ++counts_.lost;
        return;
    }
    if (!failure_.empty() && size_ <= settings_.octets) {
        failure_.clear();
        if (listener_) {
            listener_(failure_);
        }
    }
}

Result<> Trail::reopen(Settings settings) {
    auto file = open_file(settings.file);
    if (!file) {
        return std::unexpected(file.error());
    }
    settings_ = std::move(settings);
    take(std::move(*file));
    const std::lock_guard lock(mutex_);
    sync_ = settings_.sync;
    wake_.notify_all();
    return {};
}

} // namespace stem::sm::audit
