// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/password_servers.h"

#include "lab/enclosure.h"
#include "lab/text_file.h"

#include <fmt/format.h>

#include <unistd.h>

namespace stem::lab {
namespace {

using namespace std::chrono_literals;

constexpr const char* slapd_program = "/usr/sbin/slapd";
constexpr const char* slapadd_program = "/usr/sbin/slapadd";
constexpr const char* radius_program = "/usr/sbin/freeradius";

std::string slapd_configuration(const std::filesystem::path& folder, const Slapd::Tls& tls) {
    return fmt::format(R"(include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.4203.666.1.90 NAME 'sipHA1' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.3.90 NAME 'sipUser' SUP top AUXILIARY MAY sipHA1 )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {0}/slapd.pid
TLSCACertificateFile {1}
TLSCertificateFile {2}
TLSCertificateKeyFile {3}
database mdb
maxsize 16777216
suffix "dc=example,dc=org"
directory {0}/data
access to attrs=sipHA1 by dn.exact="{4}" read by * none
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{4}" read by * none
)",
                       folder.string(), tls.ca.string(), tls.certificate.string(), tls.key.string(),
                       Slapd::bind_dn);
}

std::string directory_content(const std::vector<Slapd::Person>& people) {
    std::string text =
        fmt::format("dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\n"
                    "o: Example\ndc: example\n\n"
                    "dn: {}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
                    "cn: stem\nuserPassword: {}\n\n"
                    "dn: {}\nobjectClass: organizationalUnit\nou: people\n\n",
                    Slapd::bind_dn, Slapd::bind_password, Slapd::base);
    for (const auto& person : people) {
        text += fmt::format(
            "dn: uid={0},{1}\nobjectClass: inetOrgPerson\nobjectClass: sipUser\nuid: {0}\ncn: {0}\n"
            "sn: {0}\nsipHA1: {2}\nuserPassword: {3}\n\n",
            person.name, Slapd::base, person.ha1, person.password);
    }
    return text;
}

std::string radius_listener(const char* kind, const char* address) {
    return fmt::format(" listen {{\n  type = auth\n  {} = {}\n  port = 1812\n }}\n", kind, address);
}

std::string radius_client(const char* name, const char* kind, const char* address) {
    return fmt::format("client {} {{\n {} = {}\n secret = \"{}\"\n require_message_authenticator = yes\n}}\n",
                       name, kind, address, Freeradius::secret);
}

// rlm_digest reads the forerunner of RFC 5090 by itself; RFC 5090's attributes are told to it here.
constexpr const char* radius_policy = R"( authorize {
  if (&RFC-Digest-Response) {
   update request {
    Digest-Response := &RFC-Digest-Response
    Digest-Realm := &RFC-Digest-Realm
    Digest-Nonce := &RFC-Digest-Nonce
    Digest-Method := &RFC-Digest-Method
    Digest-URI := &RFC-Digest-URI
    Digest-QOP := &RFC-Digest-Qop
    Digest-Algorithm := &RFC-Digest-Algorithm
    Digest-CNonce := &RFC-Digest-CNonce
    Digest-Nonce-Count := &RFC-Digest-Nonce-Count
    Digest-User-Name := &RFC-Digest-Username
    Digest-Attributes := 0x0d0378
   }
   update control {
    Auth-Type := Digest
   }
  }
  else {
   digest
  }
  files
  pap
 }
 authenticate {
  Auth-Type PAP {
   pap
  }
  Auth-Type Digest {
   digest
  }
 }
 post-auth {
  update reply {
   Message-Authenticator := 0x00
  }
  Post-Auth-Type REJECT {
   update reply {
    Message-Authenticator := 0x00
   }
  }
 }
)";

constexpr const char* radius_dictionary = R"(ATTRIBUTE RFC-Digest-Response 103 string
ATTRIBUTE RFC-Digest-Realm 104 string
ATTRIBUTE RFC-Digest-Nonce 105 string
ATTRIBUTE RFC-Digest-Method 108 string
ATTRIBUTE RFC-Digest-URI 109 string
ATTRIBUTE RFC-Digest-Qop 110 string
ATTRIBUTE RFC-Digest-Algorithm 111 string
ATTRIBUTE RFC-Digest-CNonce 113 string
ATTRIBUTE RFC-Digest-Nonce-Count 114 string
ATTRIBUTE RFC-Digest-Username 115 string
)";

Result<> write_all(const std::vector<std::pair<std::filesystem::path, std::string>>& files) {
    for (const auto& [file, text] : files) {
        if (auto written = write_text(file, text); !written) {
            return written;
        }
    }
    return {};
}

std::filesystem::path fresh_folder(const char* name) {
    auto folder = scratch() / name;
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    std::filesystem::create_directories(folder / "data", ignored);
    return folder;
}

std::string ldapi_uri_of(const std::filesystem::path& socket) {
    std::string path;
    for (const char c : socket.string()) {
        path += c == '/' ? "%2F" : std::string(1, c);
    }
    return "ldapi://" + path;
}

} // namespace

std::string why_not(const std::string& program) {
    return ::access(program.c_str(), X_OK) == 0 ? "" : program + " is not installed";
}

Result<std::filesystem::path> secret_file(const char* name, const std::string& secret) {
    const auto file = scratch() / name;
    if (auto written = write_text(file, secret + "\n"); !written) {
        return std::unexpected(written.error());
    }
    std::filesystem::permissions(file,
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return file;
}

Result<Slapd::Tls> Slapd::certify(const std::string& stemctl) {
    const auto pki = scratch() / "ldap-pki";
    std::filesystem::remove_all(pki);
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"init"}, {"issue", "server", "ldap", "--host", "127.0.0.1", "--host", "::1"}}) {
        std::vector<std::string> argv = {stemctl, "pki", "--dir", pki};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        if (auto done = run_command({.name = "stemctl-pki", .argv = argv}); !done) {
            return std::unexpected(done.error());
        }
    }
    return Tls{.certificate = pki / "issued" / "server-ldap.crt",
               .key = pki / "issued" / "server-ldap.key",
               .ca = pki / "ca.crt"};
}

std::string Slapd::ldapi_uri() const {
    return ldapi_uri_of(socket_);
}

Result<Slapd> Slapd::start(const Netns& netns, const std::vector<Person>& people, const Tls& tls) {
    const auto folder = fresh_folder("slapd");
    const auto configuration = folder / "slapd.conf";
    const auto content = folder / "content.ldif";
    if (auto written = write_all(
            {{configuration, slapd_configuration(folder, tls)}, {content, directory_content(people)}});
        !written) {
        return std::unexpected(written.error());
    }
    if (auto filled = run_command({.name = "slapadd",
                                   .argv = {slapadd_program, "-f", configuration, "-l", content},
                                   .netns = &netns});
        !filled) {
        return std::unexpected(filled.error());
    }
    const auto socket = folder / "ldapi";
    auto process = Process::start(
        {.name = "slapd",
         .argv = {slapd_program, "-d", "stats", "-f", configuration, "-h",
                  "ldap://127.0.0.1:1389 ldap://[::1]:1389 ldaps://127.0.0.1:1636 ldaps://[::1]:1636 " +
                      ldapi_uri_of(socket)},
         .netns = &netns});
    if (!process) {
        return std::unexpected(process.error());
    }
    const bool ready =
        eventually([&] { return !process->running() || process->errors().contains("slapd starting"); }, 15s);
    return ready && process->running() ? Result<Slapd>(Slapd(std::move(*process), socket))
                                       : fail("start slapd", process->last_words());
}

Result<Freeradius> Freeradius::start(const Netns& netns, const std::string& user, const std::string& password,
                                     bool delays_no) {
    const auto folder = fresh_folder("freeradius");
    const auto text =
        fmt::format("prefix = /usr\nlibdir = /usr/lib/freeradius\nlogdir = {0}\nrun_dir = {0}\ndb_dir = "
                    "{0}\nname = radiusd\n"
                    "max_request_time = 5\nsecurity {{\n reject_delay = {1}\n}}\nlog {{\n destination = "
                    "stdout\n}}\n{2}{3}"
                    "modules {{\n digest {{\n }}\n pap {{\n }}\n files {{\n  filename = {0}/users\n }}\n}}\n"
                    "server default {{\n{4}{5}{6}}}\n",
                    folder.string(), delays_no ? 1 : 0, radius_client("v4", "ipaddr", "127.0.0.1"),
                    radius_client("v6", "ipv6addr", "::1"), radius_listener("ipaddr", "127.0.0.1"),
                    radius_listener("ipv6addr", "::1"), radius_policy);
    if (auto written =
            write_all({{folder / "radiusd.conf", text},
                       {folder / "dictionary", radius_dictionary},
                       {folder / "users", fmt::format("{} Cleartext-Password := \"{}\"\n", user, password)}});
        !written) {
        return std::unexpected(written.error());
    }
    auto process = Process::start({.name = "freeradius",
                                   .argv = {radius_program, "-fX", "-d", folder, "-n", "radiusd"},
                                   .netns = &netns});
    if (!process) {
        return std::unexpected(process.error());
    }
    const bool ready = eventually(
        [&] { return !process->running() || process->output().contains("Ready to process requests"); }, 15s);
    return ready && process->running() ? Result<Freeradius>(Freeradius(std::move(*process)))
                                       : fail("start freeradius", process->last_words());
}

} // namespace stem::lab
