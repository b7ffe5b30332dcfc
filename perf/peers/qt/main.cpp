// One measurement of Qt SCXML: the same jobs and the same answers as ../node/measure.mjs, in the same order.
//
// Measured sessions are of the classes that qscxmlc made of the charts; only `sources` and the bad charts are read at run time.
// All sessions of a round get their event, then the event loop turns once: a macrostep each.

#include "call-routing.h"
#include "deep.h"
#include "ping-pong.h"

#include <QBuffer>
#include <QCoreApplication>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QScxmlStateMachine>
#include <QTimer>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

using Session = std::unique_ptr<QScxmlStateMachine>;
using Sessions = std::vector<Session>;

struct Event {
    QString name;
    QVariant data;
};

QByteArray read(const QString &path)
{
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        throw std::runtime_error("cannot read " + path.toStdString());
    return file.readAll();
}

void tell(const QJsonObject &value)
{
    std::printf("%s\n", QJsonDocument(value).toJson(QJsonDocument::Compact).constData());
    std::fflush(stdout);
}

// Processor time of the whole process, s.
double cpu()
{
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

double wall()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Measurement {
public:
    explicit Measurement(const QJsonObject &job)
        : job(job), chart(job["chart"].toString()), folder(job["folder"].toString())
    {
        const auto list = QJsonDocument::fromJson(read(folder + "/events/" + chart + ".json")).array();
        for (const auto &event : list)
            events.push_back({event[0].toString(), event[1].toVariant()});
    }

    // Answers whether the event loop is to run.
    bool run()
    {
        const auto what = job["what"].toString();
        if (what == "runaway") {
            runaway();
            return true;
        }
        QJsonObject seen = what == "events"  ? eventsPerSecond()
                           : what == "starts" ? starts()
                           : what == "sources" ? sources()
                                               : memory();
        seen["version"] = QString("%1").arg(qVersion());
        tell(seen);
        return false;
    }

private:
    QByteArray source(const QString &name, int serial) const
    {
        auto text = read(folder + "/charts/" + name + ".scxml");
        return text.replace("id=\"serial\" expr=\"0\"", "id=\"serial\" expr=\"" + QByteArray::number(serial) + "\"");
    }

    static Session parsed(QByteArray text)
    {
        QBuffer buffer(&text);
        buffer.open(QIODevice::ReadOnly);
        Session session(QScxmlStateMachine::fromData(&buffer));
        if (!session->parseErrors().isEmpty())
            throw std::runtime_error(session->parseErrors().first().toString().toStdString());
        return session;
    }

    Session compiled() const
    {
        if (chart == "call-routing")
            return std::make_unique<routing>();
        if (chart == "ping-pong")
            return std::make_unique<pingpong>();
        if (chart == "deep")
            return std::make_unique<deep>();
        throw std::runtime_error("no such chart");
    }

    static void start(QScxmlStateMachine &session)
    {
        session.start();
        QCoreApplication::processEvents();
        if (!session.isRunning())
            throw std::runtime_error("a session did not start");
    }

    Sessions begin(int count) const
    {
        Sessions sessions;
        for (int i = 0; i < count; ++i) {
            sessions.push_back(compiled());
            start(*sessions.back());
        }
        return sessions;
    }

    static void send(const Sessions &sessions, const Event &event)
    {
        for (const auto &session : sessions)
            session->submitEvent(event.name, event.data);
        QCoreApplication::processEvents();
    }

    void sendAll(const Sessions &sessions, size_t from, size_t to) const
    {
        for (size_t i = from; i < to; ++i)
            send(sessions, events[i]);
    }

    static void check(const Sessions &sessions, int rounds)
    {
        send(sessions, {"finish", QVariantMap{{"rounds", rounds}}});
        int wrong = 0;
        for (const auto &session : sessions)
            wrong += session->isActive(QStringLiteral("right")) ? 0 : 1;
        if (wrong)
            throw std::runtime_error(std::to_string(wrong) + " sessions did not do " + std::to_string(rounds) + " rounds");
    }

    QJsonArray sample(const std::function<int()> &work) const
    {
        const auto stretch = [&work](double seconds) {
            const double from = cpu(), began = wall();
            int count = 0;
            do
                count += work();
            while (cpu() - from < seconds);
            return QJsonArray{count, cpu() - from, wall() - began};
        };
        stretch(job["warm"].toDouble());
        QJsonArray samples;
        for (int i = 0; i < job["samples"].toInt(); ++i)
            samples.append(stretch(job["seconds"].toDouble()));
        return samples;
    }

    QJsonObject eventsPerSecond() const
    {
        const auto sessions = begin(job["sessions"].toInt());
        int rounds = 0;
        const auto samples = sample([&] {
            sendAll(sessions, 0, events.size());
            ++rounds;
            return int(sessions.size() * events.size());
        });
        check(sessions, rounds);
        return {{"samples", samples}};
    }

    QJsonObject startsPerSecond(const std::function<Session()> &next) const
    {
        Sessions last(1);
        const auto samples = sample([&] {
            const int batch = job["batch"].toInt();
            for (int i = 0; i < batch; ++i) {
                last[0].reset();
                last[0] = next();
                start(*last[0]);
            }
            return batch;
        });
        sendAll(last, 0, events.size());
        check(last, 1);
        return {{"samples", samples}};
    }

    QJsonObject starts() const
    {
        return startsPerSecond([this] { return compiled(); });
    }

    QJsonObject sources() const
    {
        int serial = 0;
        return startsPerSecond([&] { return parsed(source(chart, ++serial)); });
    }

    // Resident anonymous memory and page tables, bytes.
    static double usage()
    {
        double kib = 0;
        const auto lines = read("/proc/self/status").split('\n');
        for (const auto &line : lines)
            if (line.startsWith("RssAnon:") || line.startsWith("VmPTE:"))
                kib += line.mid(line.indexOf(':') + 1).trimmed().split(' ').first().toDouble();
        return kib * 1024;
    }

    QJsonObject memory() const
    {
        {
            const auto first = begin(1);
            sendAll(first, 0, events.size());
            check(first, 1);
        }
        const int count = job["sessions"].toInt();
        const double before = usage();
        const auto sessions = begin(count);
        const double started = usage();
        sendAll(sessions, 0, events.size() - 1);
        const double handled = usage();
        sendAll(sessions, events.size() - 1, events.size());
        check(sessions, 1);
        return {{"started", (started - before) / count}, {"handled", (handled - before) / count}};
    }

    void runaway()
    {
        healthy = begin(1);
        bad = parsed(source(job["bad"].toString(), 1));
        start(*bad);
        ticker.callOnTimeout([this] {
            healthy[0]->submitEvent(events[ticks % events.size()].name, events[ticks % events.size()].data);
            // Queued behind the session's own step.
            QTimer::singleShot(0, [this] { ticked(); });
        });
        ticker.start(job["tick_ms"].toInt());
        QTimer::singleShot(1000, [this] {
            tell({{"go", true}});
            bad->submitEvent("go");
        });
        QObject::connect(bad.get(), &QScxmlStateMachine::finished, [] { tell({{"ended", "finished"}}); });
    }

    void ticked()
    {
        ++ticks;
        tell({{"tick", int(ticks)}});
        if (ticks >= size_t(job["ticks"].toInt()) && ticks % events.size() == 0) {
            check(healthy, int(ticks / events.size()));
            tell({{"healthy", true}});
            QCoreApplication::quit();
        }
    }

    QJsonObject job;
    QString chart;
    QString folder;
    std::vector<Event> events;
    Sessions healthy;
    Session bad;
    QTimer ticker;
    size_t ticks = 0;
};

} // namespace

int main(int argc, char **argv)
{
    QCoreApplication app(argc, argv);
    try {
        Measurement measurement(QJsonDocument::fromJson(argc > 1 ? argv[1] : "").object());
        return measurement.run() ? QCoreApplication::exec() : 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
