// SPDX-License-Identifier: Apache-2.0
// Sound for calls: 8 kHz, 16 bit, one channel.
#pragma once

#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace stem::lab {

inline constexpr unsigned audio_rate = 8000; // samples a second

// Syllables with pauses: a gliding voice of several harmonics, four to a second, then a sweep from 300 to
// 3400 Hz. The same at each call.
[[nodiscard]] std::vector<std::int16_t> speech_like(std::chrono::milliseconds length);

// ITU-T G.711, one octet a sample.
[[nodiscard]] std::uint8_t to_a_law(std::int16_t sample);
[[nodiscard]] std::uint8_t to_mu_law(std::int16_t sample);

Result<> write_wav(const std::filesystem::path& path, std::span<const std::int16_t> samples);
// The samples of a 16-bit WAV file of any rate and number of channels; for those that write_wav() and baresip
// write.
Result<std::vector<std::int16_t>> read_wav(const std::filesystem::path& path);
// Root mean square: 0 is silence, 32767 the loudest square wave.
[[nodiscard]] double loudness(std::span<const std::int16_t> samples);

} // namespace stem::lab
