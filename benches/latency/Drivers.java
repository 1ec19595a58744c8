import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/**
 * The jobs of JDBC drivers, unmodified: each time a new client, from before it connects until it has closed.
 *
 * <p>Arguments: how often each job is measured, then DRIVER/JOB=KEY for each, KEY the first row that it asks for.
 * Each round is done at both of LATENCY_PORTS, the near and the far one. Says one JSON object for each job, with its times or its error.
 */
public final class Drivers {
    private static final String SELECT = "SELECT name FROM jumpgate_latency WHERE id = ?";
    private static final String UPDATE = "UPDATE jumpgate_latency SET hits = hits + 1 WHERE id = ?";

    /** Until then classes are read; where the pool is behind, it has a connection. */
    private static final int WARM_UP = 2;

    public static void main(String[] arguments) {
        int rounds = Integer.parseInt(arguments[0]);
        for (int index = 1; index < arguments.length; index++) {
            int end = arguments[index].lastIndexOf('=');
            int slash = arguments[index].indexOf('/');
            String driver = arguments[index].substring(0, slash);
            String job = arguments[index].substring(slash + 1, end);
            int first = Integer.parseInt(arguments[index].substring(end + 1));
            System.out.println("{\"driver\":\"" + driver + "\",\"job\":\"" + job + "\"," + said(driver, job, first, rounds) + "}");
        }
    }

    private static String said(String driver, String job, int first, int rounds) {
        String[] ports = System.getenv("LATENCY_PORTS").split(" ");
        List<String> near = new ArrayList<>();
        List<String> far = new ArrayList<>();
        for (int round = 0; round < WARM_UP + rounds; round++) {
            try {
                near.add(timed(ports[0], driver, job, first + round));
                far.add(timed(ports[1], driver, job, first + round));
            } catch (Exception error) {
                // Nothing in it that JSON would have escaped.
                return "\"error\":\"" + error.toString().replaceAll("[^\\w .:()=,'-]", " ") + "\"";
            }
        }
        return "\"near\":[" + measured(near) + "],\"far\":[" + measured(far) + "]";
    }

    private static String measured(List<String> times) {
        return String.join(",", times.subList(WARM_UP, times.size()));
    }

    private static String timed(String port, String driver, String job, int key) throws Exception {
        long begun = System.nanoTime();
        run(port, driver, job, key);
        return Double.toString((System.nanoTime() - begun) / 1e6);
    }

    private static void run(String port, String driver, String job, int key) throws Exception {
        try (Connection connection = connect(port, driver)) {
            connection.setAutoCommit(job.equals("query"));
            if (job.endsWith("update")) {
                update(connection, key);
            } else {
                select(connection, key);
            }
            if (!connection.getAutoCommit()) {
                connection.commit();
            }
        }
    }

    private static Connection connect(String port, String driver) throws Exception {
        String place = System.getenv("LATENCY_HOST") + ":" + port + "/" + System.getenv("LATENCY_DATABASE");
        Properties options = new Properties();
        options.setProperty("user", System.getenv("LATENCY_USER"));
        options.setProperty("password", System.getenv("LATENCY_PASSWORD"));
        if (driver.equals("jdbc (postgresql)")) {
            options.setProperty("sslmode", "verify-full");
            options.setProperty("sslrootcert", System.getenv("LATENCY_CA"));
            return DriverManager.getConnection("jdbc:postgresql://" + place, options);
        }
        options.setProperty("useSsl", "true");
        options.setProperty("serverSslCert", System.getenv("LATENCY_CA"));
        return DriverManager.getConnection("jdbc:mariadb://" + place, options);
    }

    private static void select(Connection connection, int key) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement(SELECT)) {
            statement.setInt(1, key);
            try (ResultSet rows = statement.executeQuery()) {
                if (!rows.next() || !rows.getString(1).equals("value of " + key)) {
                    throw new IllegalStateException("not the value of " + key);
                }
            }
        }
    }

    private static void update(Connection connection, int key) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement(UPDATE)) {
            statement.setInt(1, key);
            if (statement.executeUpdate() != 1) {
                throw new IllegalStateException("not one row");
            }
        }
    }
}
