// SPDX-License-Identifier: Apache-2.0
#include "lab/audio.h"

#include "lab/text_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>

namespace stem::lab {
namespace {

static_assert(std::endian::native == std::endian::little, "WAV files are little-endian; we copy memory");

constexpr double turn = 2 * std::numbers::pi;

void append(std::string& bytes, std::integral auto value) {
    std::array<char, sizeof value> raw{};
    std::memcpy(raw.data(), &value, sizeof value);
    bytes.append(raw.data(), raw.size());
}

} // namespace

std::vector<std::int16_t> speech_like(std::chrono::milliseconds length) {
    constexpr double voice_seconds = 3.0;
    constexpr double sweep_seconds = 1.0;
    const auto count = static_cast<std::size_t>(length.count()) * audio_rate / 1000;
    std::vector<std::int16_t> samples;
    samples.reserve(count);
    double phase = 0;
    for (std::size_t index = 0; index < count; ++index) {
        const double seconds = static_cast<double>(index) / audio_rate;
        const double within = std::fmod(seconds, voice_seconds + sweep_seconds);
        double value = 0;
        if (within < voice_seconds) {
            phase += turn * (150 + 60 * std::sin(turn * 0.5 * seconds)) / audio_rate;
            for (int harmonic = 1; harmonic <= 8; ++harmonic) {
                value += std::sin(harmonic * phase) / harmonic;
            }
            // The lower half of the envelope is the pause between two syllables.
            value *= std::max(0.0, std::sin(turn * 4 * within)) * 0.4;
        } else {
            const double part = (within - voice_seconds) / sweep_seconds;
            phase += turn * (300 + 3100 * part) / audio_rate;
            value = 0.5 * std::sin(phase);
        }
        samples.push_back(static_cast<std::int16_t>(std::clamp(value, -1.0, 1.0) * 16000));
    }
    return samples;
}

std::uint8_t to_a_law(std::int16_t sample) {
    // 13 significant bits: a sign, then three bits of segment and four of step; even bits inverted
    // (G.711 3.1).
    const bool positive = sample >= 0;
    const unsigned magnitude =
        (positive ? static_cast<unsigned>(sample) : static_cast<unsigned>(-(sample + 1))) >> 3U;
    const unsigned segment = magnitude < 32 ? 0 : static_cast<unsigned>(std::bit_width(magnitude)) - 5;
    const unsigned step = (segment <= 1 ? magnitude >> 1U : magnitude >> segment) & 0x0fU;
    const unsigned code = (positive ? 0x80U : 0U) | (segment << 4U) | step;
    return static_cast<std::uint8_t>(code ^ 0x55U);
}

std::uint8_t to_mu_law(std::int16_t sample) {
    // 14 significant bits with a bias of 33, all bits inverted (G.711 3.2).
    const bool positive = sample >= 0;
    const unsigned amount =
        (positive ? static_cast<unsigned>(sample) : static_cast<unsigned>(-(sample + 1))) >> 2U;
    const unsigned biased = std::min(amount, 8158U) + 33;
    const unsigned segment = static_cast<unsigned>(std::bit_width(biased)) - 6;
    const unsigned step = (biased >> (segment + 1)) & 0x0fU;
    const unsigned code = (positive ? 0U : 0x80U) | (segment << 4U) | step;
    return static_cast<std::uint8_t>(~code);
}

Result<> write_wav(const std::filesystem::path& path, std::span<const std::int16_t> samples) {
    const auto octets = static_cast<std::uint32_t>(samples.size_bytes());
    std::string bytes = "RIFF";
    append(bytes, 36 + octets);
    bytes += "WAVEfmt ";
    append(bytes, std::uint32_t{16}); // length of the format chunk
    append(bytes, std::uint16_t{1});  // PCM
    append(bytes, std::uint16_t{1});  // channels
    append(bytes, std::uint32_t{audio_rate});
    append(bytes, std::uint32_t{audio_rate * 2}); // octets a second
    append(bytes, std::uint16_t{2});              // octets a sample
    append(bytes, std::uint16_t{16});             // bits
    bytes += "data";
    append(bytes, octets);
    for (const auto sample : samples) {
        append(bytes, sample);
    }
    return write_text(path, bytes);
}

Result<std::vector<std::int16_t>> read_wav(const std::filesystem::path& path) {
    auto bytes = read_text(path);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    const auto data = bytes->find("data");
    if (!bytes->starts_with("RIFF") || data == std::string::npos || bytes->size() < data + 8) {
        return fail("read WAV file " + path.string(), "no RIFF file with a data chunk");
    }
    // The chunk's length is not looked at: a file still being written has a wrong one.
    std::vector<std::int16_t> samples((bytes->size() - data - 8) / 2);
    std::memcpy(samples.data(), bytes->data() + data + 8, samples.size() * 2);
    return samples;
}

double loudness(std::span<const std::int16_t> samples) {
    double sum = 0;
    for (const auto sample : samples) {
        sum += static_cast<double>(sample) * sample;
    }
    return samples.empty() ? 0 : std::sqrt(sum / static_cast<double>(samples.size()));
}

} // namespace stem::lab
