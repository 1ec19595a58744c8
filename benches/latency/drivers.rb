# frozen_string_literal: true

# The jobs of ruby-pg, unmodified: each time a new client, from before it connects until it has closed.
#
# Arguments: how often each job is measured, then DRIVER/JOB=KEY for each, KEY the first row that it asks for. Each round
# is done at both of LATENCY_PORTS, the near and the far one. Says one JSON object for each job, with its times or its error.

require 'json'
require 'pg'

SELECT = 'SELECT name FROM jumpgate_latency WHERE id = $1'
UPDATE = 'UPDATE jumpgate_latency SET hits = hits + 1 WHERE id = $1'

# What Rails says to every new connection.
RAILS = ["SET client_min_messages TO 'warning'", 'SET standard_conforming_strings = on',
         'SET intervalstyle = iso_8601', "SET SESSION timezone TO 'UTC'"].freeze

# Until then code is read; where the pool is behind, it has a connection.
WARM_UP = 2

NEAR, FAR = ENV.fetch('LATENCY_PORTS').split

def connect
  host, port, user, password, database, ca =
    %w[HOST PORT USER PASSWORD DATABASE CA].map { |name| ENV.fetch("LATENCY_#{name}") }
  connection = PG.connect(host: host, port: port, user: user, password: password, dbname: database,
                          sslmode: 'verify-full', sslrootcert: ca)
  yield connection
  connection.close
end

def select(connection, key)
  name = connection.exec_params(SELECT, [key]).getvalue(0, 0)
  raise "#{key}: #{name}" unless name == "value of #{key}"
end

JOBS = {
  'ruby-pg/query' => ->(key) { connect { |connection| select(connection, key) } },
  'ruby-pg/SETs as of Rails, query' => lambda { |key|
    connect do |connection|
      RAILS.each { |sql| connection.exec(sql) }
      select(connection, key)
    end
  },
  'ruby-pg/transaction, select' => lambda { |key|
    connect { |connection| connection.transaction { select(connection, key) } }
  },
  'ruby-pg/transaction, update' => lambda { |key|
    connect do |connection|
      connection.transaction { raise 'not one' unless connection.exec_params(UPDATE, [key]).cmd_tuples == 1 }
    end
  }
}.freeze

def milliseconds(port)
  ENV['LATENCY_PORT'] = port
  begun = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  yield
  (Process.clock_gettime(Process::CLOCK_MONOTONIC) - begun) * 1e3
end

rounds = Integer(ARGV.shift)
ARGV.each do |asked|
  name, first = asked.match(/\A(.*)=(\d+)\z/).captures
  driver, job = name.split('/', 2)
  begin
    both = (0...WARM_UP + rounds).map do |round|
      [NEAR, FAR].map { |port| milliseconds(port) { JOBS.fetch(name).call(Integer(first) + round) } }
    end
    near, far = both.drop(WARM_UP).transpose
    puts JSON.generate(driver: driver, job: job, near: near, far: far)
  rescue StandardError => e
    puts JSON.generate(driver: driver, job: job, error: e.message)
  end
  $stdout.flush
end
